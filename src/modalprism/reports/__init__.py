"""Profile → figure, table, sentence, page.

The room reads a finished run and says what it holds: `write_report` makes the page, the figures and
the tables for papers, `answer_table` and `layer_table` speak in the terminal, `summary_sentences`
in words. It computes nothing new: every number shown is a row of the profile.
"""

from modalprism.reports.cautions import cautions, embedding_faults
from modalprism.reports.figures import Drawing, write_figures
from modalprism.reports.headlines import headlines
from modalprism.reports.page import write_report
from modalprism.reports.tables import (
    answer_latex,
    answer_markdown,
    answer_table,
    layer_latex,
    layer_markdown,
    layer_table,
    write_tables,
)
from modalprism.reports.words import answer_sentences, stream_sentences, summary_sentences

__all__ = [
    "Drawing",
    "answer_latex",
    "answer_markdown",
    "answer_sentences",
    "answer_table",
    "cautions",
    "embedding_faults",
    "headlines",
    "layer_latex",
    "layer_markdown",
    "layer_table",
    "stream_sentences",
    "summary_sentences",
    "write_figures",
    "write_report",
    "write_tables",
]
