"""The model wire: chat completions, transcription and reading of files, from any service that speaks them.

`ask` and its siblings take frozen dataclasses and give `Answered` or `Failed`; they never raise for what a
service does. Called by `ai_service` and the conductors, outside any transaction. What must be remembered
between calls (open circuits, what a model refuses) lies in a `Memory` that the caller owns, one per process.
Knows no database and no flask; keys appear in no log, error or repr.
"""

from llm.asking import ask
from llm.base import (
    WHAT_TO_DO,
    Answered,
    Endpoint,
    Failed,
    FailureCode,
    File,
    Message,
    Model,
    Models,
    Usage,
)
from llm.files import describe_image, read_document, transcribe
from llm.memory import Clock, Memory
from llm.settings import models_of

__all__ = [
    "WHAT_TO_DO",
    "Answered",
    "Clock",
    "Endpoint",
    "Failed",
    "FailureCode",
    "File",
    "Memory",
    "Message",
    "Model",
    "Models",
    "Usage",
    "ask",
    "describe_image",
    "models_of",
    "read_document",
    "transcribe",
]
