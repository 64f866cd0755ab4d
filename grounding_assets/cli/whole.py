"""Commands that read a data set's joined files: a part must not pass for the whole."""

from grounding_assets.core.spec.settings import Spec
from resources.shards import whole_words


def tell_what_lacks(spec: Spec) -> None:
    """Prints what the shards lack, if the data set is cut into some.

    Raises:
        InputError: the joined files are not of the shards as they are now.
    """
    words = whole_words(spec)
    if words:
        print(f"Not complete: {words}")
