"""The report of a run: one HTML file that needs nothing else, with curves, pictures, explanations, and its words explained."""

from chainrule.views.report.report import report_page, write_report

__all__ = ["report_page", "write_report"]
