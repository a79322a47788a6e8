"""Profile → figure, table, sentence, page.

The room reads a finished run and says what it holds: `write_report` makes the page and the figures,
`answer_table` and `layer_table` speak in the terminal, `summary_sentences` in words. It computes
nothing new: every number shown is a row of the profile.
"""

from modalprism.reports.cautions import cautions
from modalprism.reports.figures import Drawing, write_figures
from modalprism.reports.page import write_report
from modalprism.reports.tables import answer_markdown, answer_table, layer_table
from modalprism.reports.words import answer_sentences, stream_sentences, summary_sentences

__all__ = [
    "Drawing",
    "answer_markdown",
    "answer_sentences",
    "answer_table",
    "cautions",
    "layer_table",
    "stream_sentences",
    "summary_sentences",
    "write_figures",
    "write_report",
]
