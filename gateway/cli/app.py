"""``python -m gateway``."""

import typer

from gateway.cli.listen import listen
from gateway.cli.serve import serve

app = typer.Typer(no_args_is_help=True, add_completion=False, help="A mock payment gateway.")
app.command()(serve)
app.command()(listen)


def main() -> None:
    app()
