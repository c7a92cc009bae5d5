"""Structured logs: JSON lines, or coloured text on a terminal."""

import logging
import sys

import orjson
import structlog

from gateway.config import Settings


def configure_logs(settings: Settings) -> None:
    """Send structlog's events to standard output, one line each, from ``LOG_LEVEL`` up."""
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stdout.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderers: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(orjson.dumps)]
        if as_json
        else [structlog.dev.ConsoleRenderer()]
    )
    structlog.configure(
        processors=shared + renderers,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level]
        ),
        logger_factory=(
            structlog.BytesLoggerFactory(sys.stdout.buffer) if as_json else structlog.PrintLoggerFactory()
        ),
        cache_logger_on_first_use=False,
    )
