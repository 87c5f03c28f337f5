"""From the settings to the models: which service is asked, with which key, at which price.

AI_BASE_URL wins over keys; without it the first key of OpenRouter, OpenAI, Anthropic decides. A model name
may carry the service that it belongs to (`openai:gpt-4o-mini`) when that service's key is set too.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from config import Config
from llm.base import Endpoint, Model, Models, Service

OPENROUTER_URL: Final = "https://openrouter.ai/api/v1"
OPENAI_URL: Final = "https://api.openai.com/v1"
ANTHROPIC_URL: Final = "https://api.anthropic.com/v1"
# https://platform.claude.com/docs/en/api/versioning
ANTHROPIC_VERSION: Final = "2023-06-01"
APP_TITLE: Final = "Balcao"
# The small, cheap one of each service that keeps to a JSON schema and sees pictures.
DEFAULT_MODELS: Final[Mapping[Service, str]] = {"openai": "gpt-4o-mini", "anthropic": "claude-haiku-4-5"}
_ORDER: Final[tuple[Service, ...]] = ("own", "openrouter", "openai", "anthropic")


def models_of(config: Config) -> Models | None:
    """Give the models that the settings name; None when no key and no address is set."""
    endpoints = _endpoints(config)
    if not endpoints:
        return None
    main = next(iter(endpoints.values()))
    prices = _prices(config, main)
    first = config.ai_model or DEFAULT_MODELS.get(main.service, "")
    names = dict.fromkeys((first, *config.ai_fallback_models))
    return Models(
        chat=tuple(_model(name, endpoints, main, prices) for name in names),
        vision=_optional(config.ai_vision_model, endpoints, main, prices),
        transcription=_optional(config.ai_transcription_model, endpoints, main, _per_minute(prices)),
    )


Prices = tuple[Decimal | None, Decimal | None]


def _per_minute(prices: Prices) -> Prices:
    """Transcription is priced by time, not by tokens: its cost is unknown unless nothing has a price."""
    return prices if not any(prices) and None not in prices else (None, None)


def _optional(
    name: str, endpoints: Mapping[Service, Endpoint], main: Endpoint, prices: Prices
) -> Model | None:
    return _model(name, endpoints, main, prices) if name else None


def _model(name: str, endpoints: Mapping[Service, Endpoint], main: Endpoint, prices: Prices) -> Model:
    """Find the model's endpoint; another colon belongs to the name (`llama3.1:8b`)."""
    prefix, separator, rest = name.partition(":")
    for service, endpoint in endpoints.items():
        if separator and prefix == service:
            return Model(endpoint, rest, *prices)
    return Model(main, name, *prices)


def _endpoints(config: Config) -> dict[Service, Endpoint]:
    """Give the endpoints that can be asked, the one for plain model names first."""
    found: dict[Service, Endpoint] = {}
    if config.openrouter_api_key:
        found["openrouter"] = _openrouter(config)
    if config.openai_api_key:
        found["openai"] = Endpoint(
            "openai",
            OPENAI_URL,
            config.openai_api_key,
            # https://platform.openai.com/docs/api-reference/chat/create: newer models refuse max_tokens
            token_field="max_completion_tokens",
            enforces_schema=True,
        )
    if config.anthropic_api_key:
        # Their OpenAI-compatible address is "not considered a long-term or production-ready solution" and
        # ignores response_format: https://platform.claude.com/docs/en/api/openai-sdk
        found["anthropic"] = Endpoint(
            "anthropic",
            ANTHROPIC_URL,
            config.anthropic_api_key,
            (("anthropic-version", ANTHROPIC_VERSION),),
            dialect="messages",
            enforces_schema=True,
        )
    if config.ai_base_url:
        # A vendor's key never travels to another address than the vendor's.
        found["own"] = Endpoint("own", _with_version(config.ai_base_url), config.ai_api_key)
    return {service: found[service] for service in _ORDER if service in found}


def _openrouter(config: Config) -> Endpoint:
    # Both headers are optional and name the app: https://openrouter.ai/docs/app-attribution
    referer = (("HTTP-Referer", config.public_base_url),) if config.public_base_url else ()
    return Endpoint(
        "openrouter", OPENROUTER_URL, config.openrouter_api_key, (*referer, ("X-Title", APP_TITLE))
    )


def _with_version(base_url: str) -> str:
    """Complete an address without a path (`http://localhost:11434`), as people copy it from Ollama."""
    base_url = base_url.removesuffix("/chat/completions").rstrip("/")
    return base_url if urlsplit(base_url).path.strip("/") else f"{base_url}/v1"


def _prices(config: Config, main: Endpoint) -> Prices:
    if main.service == "own" and not main.key and config.ai_price_in is None and config.ai_price_out is None:
        return Decimal(0), Decimal(0)  # a server of one's own sends no bill
    return config.ai_price_in, config.ai_price_out
