"""Where the OpenAI SDK sends its requests, and with which headers, by the same variables of the environment.

Without the SDK itself: importing it takes half a second of each run, and nothing else of it would be used.
"""

import os

_ADDRESS = "https://api.openai.com/v1"
_OF_VARIABLES = {"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"}


def address(base_url: str) -> str:
    """The URL that paths are added to, without a slash at its end: `base_url`, or else `OPENAI_BASE_URL`'s."""
    return (base_url or os.environ.get("OPENAI_BASE_URL") or _ADDRESS).rstrip("/")


def headers(api_key: str) -> dict[str, str]:
    """In lower case. `OPENAI_CUSTOM_HEADERS`, a line each, go before all others: a gateway may want another key."""
    own = (
        line.split(":", 1) for line in os.environ.get("OPENAI_CUSTOM_HEADERS", "").split("\n") if ":" in line
    )
    return {
        # servers without a key ignore it
        "authorization": f"Bearer {api_key or 'EMPTY'}",
        "accept": "application/json",
        "content-type": "application/json",
        "user-agent": "grounding-assets",
        **{name: os.environ[variable] for name, variable in _OF_VARIABLES.items() if variable in os.environ},
        **{name.strip().lower(): value.strip() for name, value in own},
    }
