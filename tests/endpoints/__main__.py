"""Runs one simulated endpoint by hand: `python -m tests.endpoints vllm --family qwen3_vl --port 8123`.

It is no model and no maker's server: it answers with human boxes of known photos, or finds coloured shapes.
After a line that says so it prints one line of JSON (url, base_url, key, model), then serves until Ctrl-C.

A model obeys unless told otherwise. `--case NAME` takes a row of the table of models that do not
(`disobedient.py`; `--list-cases` prints it); `--native` lets the family write in its own form; `--form`, `--labels`, `--flaw`, `--fractions`, `--unit`, `--order`
and `--server` put one together. The forms and where each was published are in `forms.py`.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from tests.endpoints.disobedient import MODELS, NATIVE_FORMS, UNITS
from tests.endpoints.families import FAMILIES, Family
from tests.endpoints.faults import Fault, Faults, Rule
from tests.endpoints.forms import FORMS
from tests.endpoints.frames import SERVERS, qwen_pixels, server_resize
from tests.endpoints.labels import LABELS
from tests.endpoints.manner import FLAWS, Manner
from tests.endpoints.model import Behaviour
from tests.endpoints.server import KINDS, Latency, SimulatedEndpoint


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.endpoints", description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS), nargs="?", default="vllm")
    parser.add_argument(
        "--family", choices=sorted(FAMILIES), help="default: gemini behind gemini, else qwen3_vl"
    )
    parser.add_argument("--model", default="", help="name it is served as; default: the family's")
    parser.add_argument("--key", default="", help="API key that it requires; default: the kind's own")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="S", help="seconds; the median with --p95"
    )
    parser.add_argument("--p95", type=float, metavar="S", help="log-normal latency with this 95th percentile")
    parser.add_argument("--cheap", action="store_true", help="constant boxes, images unread: for benchmarks")
    parser.add_argument("--keep-requests", type=int, default=10_000, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    model = parser.add_argument_group("model")
    for name in ("noise", "jitter", "drop", "swap"):
        model.add_argument(f"--{name}", type=float, default=0.0, metavar="FRACTION")
    model.add_argument("--scores", action="store_true")
    model.add_argument("--prose", action="store_true")
    model.add_argument("--fences", action=argparse.BooleanOptionalAction)
    model.add_argument("--thinking", action=argparse.BooleanOptionalAction)
    model.add_argument("--max-pixels", type=int, help="cap of the Qwen2.5 resize")
    _add_disobedience(parser.add_argument_group("models that do not obey"))
    kind = parser.add_argument_group("endpoint")
    kind.add_argument("--refuse", action="append", metavar="PARAMETER", help="answer 400 to this parameter")
    kind.add_argument("--quirk", action="append", default=[], metavar="NAME=JSON", help="option of the kind")
    faults = parser.add_argument_group("faults")
    faults.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=RATE[:TIMES]",
        help=f"TIMES bounds the hits per question; names: {', '.join(Fault)}",
    )
    faults.add_argument("--fail", action="append", default=[], metavar="CAPTION_PART=NAME")
    faults.add_argument("--retry-after", type=float, default=1.0, metavar="S")
    faults.add_argument("--max-in-flight", type=int, metavar="N")
    faults.add_argument("--max-per-second", type=float, metavar="R")
    return parser


def _add_disobedience(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--case", metavar="NAME", help="a row of the table of models that do not obey")
    group.add_argument("--list-cases", action="store_true", help="print that table as JSON, and end")
    group.add_argument(
        "--form",
        action="append",
        choices=sorted(FORMS),
        help="how it writes boxes, whatever it was asked for; repeatable",
    )
    group.add_argument(
        "--native", action="store_true", help="the family's own forms, whatever it was asked for"
    )
    group.add_argument("--labels", choices=sorted(LABELS), default="text")
    group.add_argument("--flaw", choices=sorted(FLAWS), default="", help="hits photos alone")
    group.add_argument("--flaw-rate", type=float, default=1.0, metavar="FRACTION")
    group.add_argument(
        "--fractions", choices=("picture", "box"), default="", help="a third of them come as 0-1"
    )
    group.add_argument("--unit", choices=sorted(UNITS), help="what coordinates count; default: the family's")
    group.add_argument("--order", choices=("xyxy", "yxyx", "xywh"), help="default: the family's")
    group.add_argument("--box-key", help="default: the family's")
    servers = "; ".join(f"{name}:NUMBER {does}" for name, does in SERVERS.items())
    group.add_argument(
        "--server", default="", metavar="KIND:NUMBER", help=f"what it does to pictures: {servers}"
    )


def _model_options(options: argparse.Namespace) -> dict[str, Any]:
    """`family`, `manner` and `server` of the endpoint."""
    if options.case is not None:
        if options.case not in MODELS:
            raise ValueError(f"no such case: {options.case!r}; --list-cases prints them")
        return MODELS[options.case].endpoint_options()
    default = "gemini" if options.kind == "gemini" else "qwen3_vl"
    family = _family(options) or default
    family = FAMILIES[family] if isinstance(family, str) else family
    if options.unit:
        unit = UNITS[options.unit]
        family = replace(family, frame=unit.frame, digits=unit.digits, highest=unit.highest)
    family = replace(family, order=options.order or family.order, key=options.box_key or family.key)
    native = NATIVE_FORMS.get(options.family or default, ("json_list",)) if options.native else ("contract",)
    asked_for = (
        options.native or options.form or options.flaw or options.fractions or options.labels != "text"
    )
    manner = Manner(
        tuple(options.form or native),
        options.labels,
        options.flaw,
        options.flaw_rate,
        options.fractions,
        options.seed,
    )
    return {
        "family": family,
        "manner": manner if asked_for else None,
        "server": server_resize(options.server),
    }


def _print_cases() -> None:
    print(json.dumps([{**asdict(model), "sources": model.sources} for model in MODELS.values()], indent=1))


def _rule(option: str) -> Rule:
    name, _, amount = option.partition("=")
    rate, _, times = amount.partition(":")
    return Rule(Fault(name), float(rate or 1), at_most=int(times) if times else None)


def _sample_rule(option: str) -> Rule:
    part, _, name = option.rpartition("=")
    return Rule(Fault(name), captions=(part,))


def _family(options: argparse.Namespace) -> Family | str | None:
    if options.max_pixels is None:
        return options.family
    return replace(FAMILIES[options.family or "qwen2_5_vl"], frame=qwen_pixels(options.max_pixels))


def endpoint_from(arguments: Sequence[str] | None = None) -> SimulatedEndpoint:
    """The endpoint that a command line describes; exits with a message where it does not."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list_cases:
        _print_cases()
        sys.exit(0)
    try:
        return SimulatedEndpoint(
            options.kind,
            **_model_options(options),
            model=options.model,
            key=options.key,
            refuses=options.refuse,
            quirks={name: json.loads(value) for name, _, value in (q.partition("=") for q in options.quirk)},
            behaviour=Behaviour(
                noise=options.noise,
                jitter=options.jitter,
                drop=options.drop,
                swap=options.swap,
                scores=options.scores,
                prose=options.prose,
                fences=options.fences,
                thinking=options.thinking,
                seed=options.seed,
            ),
            faults=Faults(
                rules=(*map(_sample_rule, options.fail), *map(_rule, options.fault)),
                retry_after=options.retry_after,
                max_in_flight=options.max_in_flight,
                max_per_second=options.max_per_second,
                seed=options.seed,
            ),
            latency=Latency(options.latency, options.p95, options.seed),
            cheap=options.cheap,
            keep_requests=options.keep_requests,
            host=options.host,
            port=options.port,
        )
    except FileNotFoundError as error:
        sys.exit(f"no photos to know boxes of ({error.filename}): set GROUNDING_CORPUS, or add --cheap")
    except (ValueError, TypeError) as error:
        parser.error(str(error))


async def _serve(endpoint: SimulatedEndpoint) -> None:
    def announce() -> None:
        print(f"SIMULATED endpoint, no model behind it: {endpoint.description}")
        own = {
            "url": endpoint.url,
            "base_url": endpoint.base_url,
            "key": endpoint.key,
            "model": endpoint.model,
        }
        print(json.dumps(own), flush=True)

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await endpoint.serve(announce, stop)


if __name__ == "__main__":
    wanted = endpoint_from()
    try:
        asyncio.run(_serve(wanted))
    except OSError as error:
        sys.exit(f"cannot serve on {wanted.host}:{wanted.port}: {error.strerror}")
