"""Reports of finished runs: sentences, pages and files.

`write_report` writes the page, the figures and the tables for papers; `summary_sentences` and
`cautions` put results into words. Every number shown is a row of the profile: the package computes
nothing new.
"""

from modalprism.reports.cautions import cautions, embedding_faults
from modalprism.reports.figures import write_figures
from modalprism.reports.headlines import headlines
from modalprism.reports.page import write_report
from modalprism.reports.sentences import answer_sentences, stream_sentences, summary_sentences

__all__ = [
    "answer_sentences",
    "cautions",
    "embedding_faults",
    "headlines",
    "stream_sentences",
    "summary_sentences",
    "write_figures",
    "write_report",
]
