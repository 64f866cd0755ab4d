"""`auto_label estimate sizes=true`: what smaller pictures would save, by the pictures' real sizes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from grounding_assets.cli.terminal import print_table
from grounding_assets.core.budget.cost import Projection
from grounding_assets.core.dataset.choice import SeededChoice
from grounding_assets.core.dataset.workspace import Workspace
from grounding_assets.core.errors import SampleFailure
from grounding_assets.core.images.image_file import open_image
from grounding_assets.core.images.image_policy import ImagePolicy
from grounding_assets.core.spec.model_settings import PriceSpec
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step
from resources.vlm.image_tokens import GEMINI_TOKENS, Size, TokenRule, token_rule
from resources.vlm.resource import family_of_spec, model_name

_MOST_READ = 300
"""Pictures whose sizes are read, chosen at random."""
_SHARES = (1.0, 0.5, 0.25)
"""Of the pixels that the largest pictures are sent with now."""


@dataclass(frozen=True, slots=True)
class SizeChoice:
    """One way to set the size of pictures."""

    setting: str
    tokens: float
    """Of a picture, the mean."""


def print_sizes(spec: Spec, workspace: Workspace, projection: Projection) -> None:
    """`projection` is of the annotating steps, each of whose calls sends one picture."""
    rule = token_rule(model_name(spec))
    if spec.vlm.backend == "local" or rule is None:
        print(_unknown(spec))
        return
    sizes = picture_sizes(workspace)
    if not sizes:
        print("No picture can be read to tell its size.")
        return
    choices = list(size_choices(spec, rule, sizes))
    title = f"Pictures of {projection.calls.expected:,.0f} calls, by the sizes of {len(sizes):,} pictures ({rule.words})"
    print_table(title, list(_rows(choices, spec.vlm.price, projection)))
    print(
        "Smaller pictures can make boxes worse: compare on gold, `auto_label evaluate gold=FILE other=FOLDER`."
    )
    if Step.VERIFICATION in spec.workflow.run_steps:
        print('The pictures of step "2" are drawn for each question and are not counted here.')


def picture_sizes(workspace: Workspace) -> list[Size]:
    """(width, height) in pixels, upright, of pictures of samples that lack a result; those that can be read."""
    choice = SeededChoice[str](_MOST_READ, 0)
    for pending in workspace.pending(workspace.samples.ids, (Step.EXTRACTION, Step.GROUNDING)):
        choice.offer(pending.sample_id, lambda kept=pending.sample_id: kept)
    sizes = []
    for sample_id in choice.chosen():
        try:
            with open_image(workspace.image_file(workspace.samples.read(sample_id))) as file:
                sizes.append(file.image_size)
        except SampleFailure:
            continue
    return sizes


def size_choices(spec: Spec, rule: TokenRule, sizes: Sequence[Size]) -> Iterator[SizeChoice]:
    """The present setting first, then those that send less."""
    if rule.of_size is None:
        now = GEMINI_TOKENS[spec.vlm.gemini.media_resolution]
        for name, tokens in sorted(GEMINI_TOKENS.items(), key=lambda pair: -pair[1]):
            if tokens <= now:
                yield SizeChoice(f"vlm.gemini.media_resolution={name}", tokens)
        return
    policy = family_of_spec(spec).image
    largest = max(width * height for width, height in _sent(policy, sizes))
    for share in _SHARES:
        pixels = round(share * largest)
        sent = _sent(replace(policy, max_pixels=min(policy.max_pixels, pixels)), sizes)
        if sent:
            setting = f"vlm.openai.max_image_pixels={pixels}" if share < 1 else "as set"
            yield SizeChoice(setting, fmean(map(rule.of_size, sent)))


def _sent(policy: ImagePolicy, sizes: Sequence[Size]) -> list[Size]:
    sent = []
    for size in sizes:
        try:
            sent.append(policy.sent_size(*size))
        except SampleFailure:
            continue
    return sent


def _rows(choices: Sequence[SizeChoice], price: PriceSpec, projection: Projection) -> Iterator[Sequence[str]]:
    calls, now = projection.calls.expected, choices[0].tokens
    in_money = [f"Saves, {price.currency}"] if price.is_known else []
    yield "", "Tokens a picture", "Tokens in", "Saves", *in_money
    for number, choice in enumerate(choices):
        saved = calls * (now - choice.tokens)
        cells = [f"{choice.tokens:,.0f}", f"{calls * choice.tokens:,.0f}", f"{saved:,.0f}"]
        cells += [f"{saved * price.input_per_million / 1e6:,.2f}"] if price.is_known else []
        yield f"{choice.setting} (now)" if number == 0 else choice.setting, *cells


def _unknown(spec: Spec) -> str:
    if spec.vlm.backend == "local":
        return "The embedded teacher takes no tokens, so smaller pictures save none."
    return (
        f"What smaller pictures would save is unknown: no rule is documented here of how many tokens {model_name(spec)} counts for a "
        "picture. See docs/costs.md for the models whose rule is known."
    )
