"""`report.html` and the contact sheet: what people look at to judge annotations.

Here: choosing and drawing samples, the figures about them, and the page's own template, style and
script (`web/`). Not here: Dagster metadata, and anything that changes an annotation. Imports every other room.
"""

from grounding_assets.core.report.contact_sheet import contact_sheet
from grounding_assets.core.report.page import WrittenReport, write_report
from grounding_assets.core.report.results import report_file, write_results_report

__all__ = [
    "WrittenReport",
    "contact_sheet",
    "report_file",
    "write_report",
    "write_results_report",
]
