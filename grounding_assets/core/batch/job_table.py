"""Batch jobs as people see them: counts, states, ages."""

from collections.abc import Sequence

from grounding_assets.core.batch.job import Job

_SHOWN = 100


def job_figures(jobs: Sequence[Job]) -> dict[str, int | float]:
    """Of the jobs under way, and of all."""
    under_way = [job for job in jobs if job.phase.is_open]
    return {
        "jobs": len(jobs),
        "jobs_under_way": len(under_way),
        "requests_under_way": sum(job.requests for job in under_way),
        "requests_done": sum(job.completed for job in under_way),
        "oldest_hours": round(max((job.age_s for job in under_way), default=0.0) / 3600, 2),
    }


def job_table(jobs: Sequence[Job]) -> str:
    """Markdown, the latest first, the last hundred."""
    rows = [
        "| Job | Phase | State | Requests | Done | Failed | Hours | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for job in list(reversed(jobs))[:_SHOWN]:
        done = job.figures.get("answered", job.completed)
        cells = (
            job.id,
            job.phase,
            job.status,
            job.requests,
            done,
            job.failed,
            round(job.age_s / 3600, 2),
            job.problem,
        )
        rows.append("| " + " | ".join(_cell(str(cell)) for cell in cells) + " |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    # problems quote the endpoint
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
