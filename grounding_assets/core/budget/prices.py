"""What the models of a data set cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grounding_assets.core.budget.account import OF_BATCH, OF_TEACHER, OF_VERIFIER
from grounding_assets.core.budget.cost import Tokens, money
from grounding_assets.core.spec.model_settings import PriceSpec
from grounding_assets.core.spec.settings import Spec
from grounding_assets.core.steps import Step


@dataclass(frozen=True, slots=True)
class Prices:
    """What the models of a data set cost, in one currency; None if the spec does not say."""

    teacher: PriceSpec | None
    verifier: PriceSpec | None
    """Of a verifier of its own."""
    has_verifier: bool
    """Whether step 2 asks a verifier of its own, instead of the model of the other steps."""
    teacher_is_free: bool = False
    """Whether the other steps' model is the embedded one."""

    @classmethod
    def of(cls, spec: Spec) -> "Prices":
        verifier = spec.image_grounding.vlm_verifier
        teacher_is_free = spec.vlm.backend == "local"
        return cls(
            _known(spec.vlm.price), _known(verifier.price), verifier.backend != "same", teacher_is_free
        )

    @property
    def currency(self) -> str | None:
        """None if there is nothing to tell in money: a verifier's price says little if the teacher's is not known."""
        price = self.teacher or (self.verifier if self.teacher_is_free else None)
        return price.currency if price else None

    @property
    def batch(self) -> PriceSpec | None:
        """Of the teacher's model, by batch."""
        price = self.teacher
        if price is None:
            return None
        names = ("input_per_million", "cached_input_per_million", "output_per_million")
        return price.model_copy(update={name: price.batch_share * getattr(price, name) for name in names})

    def lacks_verifier(self, steps: Sequence[Step]) -> bool:
        """Whether these steps ask a verifier of its own whose price is not known."""
        return Step.VERIFICATION in steps and self.has_verifier and self.verifier is None

    def cost(self, taken: Mapping[str, Tokens]) -> float:
        """Of what each model took, by its name in the account; one without a price costs 0."""
        price_of = {OF_TEACHER: self.teacher, OF_VERIFIER: self.verifier, OF_BATCH: self.batch}
        return sum(money(tokens, price) for model, tokens in taken.items() if (price := price_of[model]))

    def of_step(self, step: str) -> PriceSpec | None:
        """Of the model that the step asks."""
        return self.verifier if step == Step.VERIFICATION and self.has_verifier else self.teacher


def _known(price: PriceSpec) -> PriceSpec | None:
    return price if price.is_known else None
