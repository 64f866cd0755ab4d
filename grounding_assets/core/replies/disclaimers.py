"""What a model says of not having looked: no image received, a blank one, no eyes, a refusal.

Such words stand in prose or in a member beside the lists ("note", "error", "image": "not received"), and what
they come with is no answer: an empty list would say that the photo shows nothing. That a thing is not
to be seen *in* the image is an answer. Errs towards failure, which is asked again and tells its reason.
"""

import re
from collections.abc import Iterator, Sequence

from grounding_assets.core.errors import Reason, SampleFailure

_NOUN_TEXT = "image picture photo photograph attachment screenshot file img pic visual"
_NOUNS = r"(?P<noun>image|picture|photo(?:graph)?|attachment|screenshot|file|img|pic|visual)s?(?: (?:file|data|input|content|attachment|url|link|placeholder))?"
_NP = (
    r"\b(?:(?:the|an?|any|this|that|these|those|your|my) )?"
    r"(?:(?:actual|attached|provided|uploaded|input|given|referenced|valid|usable|readable|visible|accompanying|"
    rf"corresponding|original|source|supplied|visual|new|clear|shared) )*{_NOUNS}\b(?: (?:(?:that )?you(?: have)? \w+|provided|attached|given|supplied)\b)?"
)
_FATE = (
    r"(?:(?:yet|been|be|being|actually|correctly|properly|successfully|currently|directly) )*"
    r"(?:received|provided|attached|uploaded|found|given|included|supplied|available|accessible|present|visible|"
    r"detected|loaded|sent|shared|seen|viewed|viewable|displayed|rendered|opened|decoded|processed|readable|retrieved|"
    r"downloaded|fetched|accessed|recogni[sz]ed|shown|transmitted|parsed|passed|valid|supported|forwarded)\b"
)
_END = r"(?= ?(?:[.,;:!?)}\]({\[]|$|-|so\b|and\b|but\b|because\b|since\b|due\b|here\b|yet\b|from\b|you\b|correctly\b|properly\b|successfully\b|directly\b|at all\b|currently\b|myself\b|right now\b|attached\b|provided\b|uploaded\b|included\b|in (?:the|this|your) (?:message|request|conversation|prompt|input|chat|query)))"
_UNTRUE = r"(?! ?: ?(?:false|no\b|none|null|0|,|}))"
_NOT = r"(?:not|never|cannot|(?:is|was|were|are|has|have|had|could|ca|wo)n't)"
_UNABLE = (
    r"(?:can't|cannot|can not|couldn't|could not|unable to|(?:not|\w+n't) able to|not possible to|impossible to|don't|do not|"
    r"didn't|did not|haven't|have not|failed to|failure to|not capable of|incapable of|not designed to|lack the ability to|"
    r"(?:no|not have the) (?:ability|way|capability) to)"
)
_LOOK = (
    r"(?:(?:actually|directly|currently|really|physically|visually|properly|yet) )*"
    r"(?:see|seen|view|viewing|access|open|load|read|process|processing|perceive|receive|received|display|retrieve|decode|download|find|"
    r"look at|analy[sz]e|inspect|examine|interpret|get|got|detect|seeing|support|accept|have|been (?:given|provided with|sent))"
)

_UNSEEN = (
    rf"\b(?:no|zero) (?:(?:actual|attached|input|valid|usable|visible|such|accompanying|source) )*{_NOUNS}"
    rf"(?:(?: (?:was|were|is|are|has|have|had|could|can))* {_FATE}| (?:came|arrived|got) ?(?:through)?{_END}| to (?:analy[sz]e|look|process|work|see|view|inspect)\b|{_END})",
    rf"\bwithout (?:(?:seeing|viewing|access to|having|receiving|being able to (?:see|view|access)) )?{_NP}(?! (?:of|on)\b)",
    rf"{_NP} ?:? ?(?:(?:is|was|were|are|has|have|had|could|can|may|might|seems? to|appears? to|apparently|status|state) ?:? ?)*{_NOT} {_FATE}",
    rf"{_NP} (?:(?:do|does|did|could|would|can|will)(?:n't| not)|cannot|never) (?:(?:properly|correctly|actually|seem to) )*"
    rf"(?:load|open|render|display|upload|exist|arrive|come through|go through|attach|come|appear){_END}",
    rf"{_NP} (?:(?:has|have) )?(?:failed|failing) to (?:load|open|render|display|upload|attach|decode|process|come through)\b",
    rf"\b(?:failed to|error|problem|trouble|issue|issues) (?:while |when |with )?(?:load|open|read|decod|process|access|download|retriev|fetch)(?:e|ing)? {_NP}",
    rf"{_NP} ?:? ?(?:(?:is|was|are|were|appears?|seems?|looks?|status|state|to be|like|may be|might be|being|came through|as) ?:? ?)*"
    rf"(?:(?:just|only|merely|simply) )?(?:an? )?(?:missing|unavailable|inaccessible|unreadable|unviewable|undecodable|corrupt(?:ed)?|blank|broken|invalid|absent|"
    rf"(?:completely|entirely|totally|fully|all|just|solid|plain|pure|uniformly) (?:black|white|gr[ae]y|dark|empty))(?: (?:white|black|gr[ae]y))?(?: (?:image|canvas|picture|frame|rectangle|screen|background))?{_END}{_UNTRUE}",
    r"\b(?:see only|only see|only shows?|shows? only) (?:an? )?(?:completely |solid |plain )?(?:blank|black|white|gr[ae]y|empty)\b",
    rf"{_NP} (?:is|was|appears|seems|looks)(?: to be)? empty(?! of\b){_END}",
    rf"\b(?:blank|empty|missing|corrupt(?:ed)?|unreadable|broken|placeholder|(?:completely|entirely|totally|all|solid|plain)[ -](?:black|white|gr[ae]y)) {_NOUNS}{_END}{_UNTRUE}",
    rf"\b{_NOUNS}(?: (?:received|seen|visible|provided|available|loaded|present|attached|found|ok|valid|status|state|included|"
    r"uploaded|accessible|readable|decoded|processed|access))? ?: ?(?:false|no|none|null|n/a|failed|error|empty|missing|unavailable)\b",
    rf"\b{_UNABLE} {_LOOK} (?:(?:direct |any )?access to )?{_NP}{_END}",
    rf"\b(?:no|without|lack|lacking|not (?:been )?given|wasn't given) (?:(?:any|direct|visual) )*(?:access to|view of|sight of) {_NP}",
    r"(?:please|could you|can you|kindly|if you|once you|until you|after you|you (?:can|may|could|need to|should|must)|need you to) "
    r"(?:(?:can|could|please|kindly|also) )*(?:re-?)?(?:provide|upload|attach|share|send|supply|include|submit|give|paste) "
    rf"(?:(?:me|us|with|again) )*{_NP}(?! (?:size|dimensions|id|name|path))",
    rf"{_NOUNS} (?:decod|load|upload|fetch|read|process|download)(?:ing|e)? (?:error|failed|failure)\b",
    r"\b(?:forgot|forgotten|neglected) to (?:attach|upload|include|provide|send) ",
    r"\bnothing (?:was|has been|is) (?:attached|received|provided|uploaded)\b",
    r"\b(?:can only|only able to) (?:process|read|handle|accept|see|work with) text\b",
    rf"\b(?:need|require)s? (?:to (?:see|view|have) )?{_NP}(?= to\b|{_END})",
    rf"\b(?:problem|issue|trouble|error)s? with {_NP} (?:upload|attachment|input|data)",
    rf"\bnot (?:seeing|receiving|getting) {_NP}{_END}",
    r"\bonly (?:received|receive|got|get|see|have) (?:the )?text\b",
    r"\btext[ -](?:based|only) (?:ai\b|model|assistant|language|llm|system)",
    r"\b(?:no|lack|without|lacking|(?:don't|do not|not|doesn't) (?:have|support)) (?:any )?(?:vision|visual|image|multimodal)[ -]?"
    r"(?:(?:processing|viewing|understanding|analysis|recognition) )?(?:capabilit|abilit|access|support|input)",
    r"\b(?:placeholder|hypothetical|dummy|fictional|fictitious|made[- ]up|invented|illustrative|example) (?:bounding )?(?:coordinates|boxes|bboxes|values|numbers)\b",
    r"\b(?:coordinates|boxes|bboxes|values|numbers) (?:above |below |here )?(?:are|were) (?:just |only |purely |merely )*(?:placeholders?|hypothetical|dummies|fictional|fictitious|made[- ]up|invented|illustrative|examples?|guesses|guessed)\b",
)
_UNSEEN_ELSEWHERE = (
    r"(?:没有|未能?|没|沒有|并未)(?:收到|看到|提供|上传|上傳|检测到|发现|附上|找到|接收到|获取到)(?:任何|您的|你的|该|这张|有效的?)*"
    r"(?:图片|图像|照片|圖片|圖像|图|附件)(?![中里上内裡片像])",
    r"(?:无法|不能|無法|看不到|看不见)(?:直接)?(?:看到|查看|访问|读取|加载|打开|處理|处理|识别|获取)?(?:任何|您的|你的|该|这张|此)*"
    r"(?:图片|图像|照片|圖片|圖像|附件)(?![中里上内裡])",
    r"(?:图片|图像|照片|圖片|圖像|附件)(?:未|没有|没|无法|不能|不)(?:被|能)?(?:提供|收到|上传|加载|显示|可见|可用|存在|打开|找到|附上)(?![^\s。，,.；;！!}\])])",
    r"(?:图片|图像|照片|圖片|圖像)(?:是|为|為|似乎)*(?:空白|损坏|缺失|全黑|丢失)",
    r"请(?:您)?(?:重新|再次)?(?:提供|上传|发送|附上)",
    r"\bkein(?:e[ns]?)? (?:bild|foto|anhang)(?: (?:wurde|ist|zu|habe ich))* (?:erhalten|gesehen|vorhanden|angehängt|empfangen|übermittelt|bereitgestellt|sehen|beigefügt|gefunden)",
    r"\b(?:bild|foto)s? (?:(?:wurde|konnte|kann|ist|ich) )*nicht (?:erhalten|empfangen|übermittelt|sichtbar|verfügbar|geladen|vorhanden|angehängt|bereitgestellt|gesehen|lesbar|sehen)",
    r"\baucune (?:image|photo)(?: (?:n'a|n'est|été|a))* (?:fournie?|reçue?|jointe?|visible|disponible|trouvée?)",
    r"\b(?:image|photo) (?:(?:non|pas|n'a|n'est|été) ?)+(?:fournie?|reçue?|jointe?|visible|disponible|trouvée?|chargée?)",
    r"\bne (?:peux|vois|peut|parviens) pas (?:à )?(?:voir )?(?:l'|d'|cette |la |de )?(?:image|photo)(?! (?:de|du|sur|avec))",
    r"\bno (?:se |hay |he |ha |puedo |pude |veo |recibí |fue |proporcionó |adjuntó |pudo )*(?:proporcionado |recibido |adjuntado |ver |encontrado |cargar )?(?:ninguna |la |una |esta )?imagen(?! (?:de|del|con|en)\b)",
    r"画像(?:が|は|を)?(?:見え|見ることができ|提供され|受け取|添付され|表示され|確認でき|読み込|受信|あり)[^。\n]{0,8}(?:ませ|ない|なかった)",
    r"이미지(?:를|가|을|는)? ?(?:볼 수 없|확인할 수 없|제공되지|없습니다|받지 못|첨부되지|보이지)",
    r"изображени[еяй] (?:не (?:было )?(?:получен|предоставлен|загру|прикреп|видно|доступн|найден)|отсутству)",
    r"\bне (?:вижу|могу (?:у)?видеть|получил[аи]?|вижу никакого) изображени(?!и)",
    r"\bnessuna immagine (?:(?:è|è stata|stata) )*(?:fornita|ricevuta|allegata|disponibile|trovata|caricata)",
    r"\bimmagine non (?:(?:è|è stata|stata) )*(?:fornita|ricevuta|allegata|disponibile|visibile|caricata)",
    r"\bnenhuma imagem (?:(?:foi|está) )?(?:fornecida|recebida|anexada|enviada|disponível|encontrada)",
    r"\bimagem não (?:(?:foi|está) )?(?:fornecida|recebida|anexada|enviada|disponível|visível)",
    r"\bnon (?:riesco|posso|è possibile) (?:a )?(?:vedere|visualizzare|aprire|accedere) (?:all'|l'|nessuna |questa |alcuna )?immagine",
    r"\bnão (?:consigo|posso|é possível) (?:ver|visualizar|acessar|abrir|enxergar) (?:a |nenhuma |essa |esta |sua )?imagem",
    r"\bkan (?:de |deze |geen |je )?(?:afbeelding|foto) ?(?:niet )?(?:zien|bekijken|openen)",
    r"\bkan inte (?:se|öppna|visa) (?:bilden|någon bild)|\bnie (?:widzę|mogę zobaczyć|mogę otworzyć) (?:obraz|zdjęci)",
    r"\bgörüntüyü (?:gör|aç)em|\bkhông (?:thể )?(?:nhìn )?(?:thấy|xem)(?: được)? (?:hình|ảnh)|لا (?:أستطيع|يمكنني) (?:رؤية|عرض) (?:الصورة|صورة)",
    r"\bgeen (?:afbeelding|foto) (?:ontvangen|gevonden|bijgevoegd|beschikbaar|te zien)",
    r"\b(?:afbeelding|foto) (?:(?:is|werd) )?niet (?:ontvangen|beschikbaar|zichtbaar|bijgevoegd)",
)
"""The same in other languages that models answer in."""
_UNDONE = (
    r"\berrors?(?: (?:message|code|text|type))? ?: ?+(?!null\b|none\b|false\b|0\b|no\b|n/a\b|nil\b|\W*(?:[,}\]]|$))",
    r"\bstatus ?: ?(?:error|fail|incomplete|rejected|refused|unable)",
    r"\b(?:success|ok|succeeded|completed) ?: ?false\b",
    r"\b(?:i'm|i am) sorry,? (?:but )?i (?:can't|cannot|won't|am (?:not able|unable) to) (?:help|assist|comply|do|fulfil|provide|complete|process|identify (?:people|individuals|persons|anyone|who))",
    r"\b(?:can't|cannot|won't|unable to|not able to) (?:help with|assist|comply|fulfil|identify (?:real )?(?:people|individuals|persons)|process (?:this|the|your) request|complete (?:this|the|your) (?:request|task))",
)
_ABOUT_IMAGES = tuple(re.compile(pattern) for pattern in _UNSEEN if _NOUNS in pattern)
_ABOUT_LOOKING = tuple(re.compile(pattern) for pattern in _UNSEEN if _NOUNS not in pattern)
_UNSEEN_ELSEWHERE_PATTERNS = tuple(map(re.compile, _UNSEEN_ELSEWHERE))
_UNDONE_PATTERNS = tuple(map(re.compile, _UNDONE))
_NOUN = re.compile(_NOUN_TEXT.replace(" ", "|"))
_NOUN_ELSEWHERE = re.compile(r"[^\x00-\x7f]|bild|foto|anhang|photo|imag|immagin|afbeelding")
"""What each of these patterns needs at least: one look for it spares most replies thirty."""
_INSIDE = re.compile(
    r"\b(?:in|of|from|within|on|inside|across|throughout|for|by|beyond|outside|into)"
    r"(?: (?:the|an?|any|this|that|these|those|your|my))?(?: (?:attached|provided|uploaded|input|given|actual|original|visible))* ?$"
)
"""Before a noun: what follows is said of a thing in the image, not of the image."""
_LOOK_BEHIND = 60
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_MARKS = re.compile(r"[\"*_`\\~#|>]|\s")
_SPACES = re.compile(r" +")


def refuse_disclaimed(
    text: str, *, about: Sequence[str] = (), quoted: str = "", says_none: bool = False
) -> None:
    """Raises `SampleFailure` (`unparsable`) with the words that `disclaimer` finds."""
    if words := disclaimer(text, about=about, quoted=quoted, says_none=says_none):
        raise SampleFailure(
            Reason.UNPARSABLE,
            f"The reply says {words[:80]!r}: the model did not look at the image, so nothing else that it says counts.",
        )


def disclaimer(
    text: str, *, about: Sequence[str] = (), quoted: str = "", says_none: bool = False
) -> str | None:
    """The words by which a model says that it did not look, or None.

    Args:
        text: of a reply, JSON and all.
        about: the expressions that were asked about; a word for images in one may be meant by it.
        quoted: a text that the reply may repeat, such as the caption.
        says_none: whether the reply finds nothing; then an error or a refusal beside it counts as well.

    >>> disclaimer('{"expressions": [], "note": "Image not received."}', about=["a dog"])
    'image not received'
    >>> disclaimer("No dogs are visible in the image.", about=["two dogs"])
    """
    plain, quoted = _plain(text), _plain(quoted)
    asked = {word for word in _NOUN_TEXT.split() if any(word in one.lower() for one in about)}
    for pattern in _patterns_for(plain, says_none=says_none):
        for found in pattern.finditer(plain):
            words = found.group().strip(" :,.")
            before = plain[max(0, found.start() - _LOOK_BEHIND) : found.start()]
            if found.groupdict().get("noun") in asked or words in quoted or _INSIDE.search(before):
                continue
            return words
    return None


def _patterns_for(plain: str, *, says_none: bool) -> Iterator[re.Pattern[str]]:
    if _NOUN.search(plain):
        yield from _ABOUT_IMAGES
    yield from _ABOUT_LOOKING
    if _NOUN_ELSEWHERE.search(plain):
        yield from _UNSEEN_ELSEWHERE_PATTERNS
    if says_none:
        yield from _UNDONE_PATTERNS


def _plain(text: str) -> str:
    """The text in lower case, without the marks of JSON's strings, of layout and of keys."""
    text = _ESCAPE.sub(lambda code: chr(int(code.group(1), 16)), text).replace("\\n", " ")
    text = _CAMEL.sub(" ", text).lower().replace("’", "'").replace("：", ":")
    return _SPACES.sub(" ", _MARKS.sub(" ", text)).strip()
