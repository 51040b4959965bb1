"""What IPython is told before it runs a page: figures are SVG, the same bytes on every run."""

from ipykernel.iostream import OutStream

c = get_config()  # noqa: F821  IPython provides it

c.InlineBackend.figure_formats = {"svg"}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None}}
c.HistoryManager.enabled = False

c.IPKernelApp.log_level = 40  # errors: where to find the kernel is nobody's business here

# A mistake made on purpose shows what Python says of it, not the path that led there through this machine's folders.
c.InteractiveShell.xmode = "Minimal"

# What a cell prints arrives when the cell is done: a line that is sent in two pieces can be broken in two.
OutStream.flush_interval = 60.0
