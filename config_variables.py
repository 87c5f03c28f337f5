"""The one table of settings: every environment variable with its aliases, kind, default and explanation.

Called by `config.py` alone, which parses by it and writes `.env.example` from it. Data only.
"""

from dataclasses import dataclass
from typing import Final

from config_kinds import Variable

DEFAULT_MODEL: Final = "meta-llama/llama-3.1-8b-instruct:free"


@dataclass(frozen=True, slots=True)
class Group:
    """A heading of `.env.example` and the variables under it."""

    title: str
    variables: tuple[Variable, ...]


# fmt: off
GROUPS: Final = (
    Group("The program", (
        Variable("APP_ENV", ("FLASK_ENV", "FLASK_DEBUG"), "choice", "",
                 "development, production or testing. Empty: development under `make run`, production under "
                 "gunicorn.", choices=("development", "production", "testing")),
        Variable("SECRET_KEY", ("SESSION_SECRET",), "text", "",
                 "Signs sessions and encrypts stored credentials; 16 characters or more, required in "
                 "production. Empty in development: generated once and kept in the instance folder.",
                 is_secret=True),
        Variable("SECRET_KEY_FALLBACKS", (), "names", "",
                 "The keys before SECRET_KEY, the newest first, with commas: what they sealed and signed "
                 "still holds. `python cli.py rotate-secret-key` seals everything with SECRET_KEY anew.",
                 is_secret=True),
        Variable("PORT", (), "whole", "5000",
                 "The port that pages and webhooks are served on.", low=1, high=65535),
        Variable("HOST", (), "text", "",
                 "The address to listen on. Empty: 127.0.0.1 under `make run`, because a desk with demo data "
                 "and a simulator is for this machine alone; 0.0.0.0 under gunicorn."),
        Variable("PUBLIC_BASE_URL", ("TWILIO_WEBHOOK_URL",), "url", "",
                 "Where the world reaches this program (https://desk.example.com). Twilio signs this "
                 "address, so it must be exact. Of TWILIO_WEBHOOK_URL only scheme and host are taken."),
        Variable("PROXY_HOPS", (), "whole", "0",
                 "How many proxies in front are believed about a visitor's address and scheme. 1 behind one "
                 "proxy (nginx, Heroku, Render, Fly); 0 when the port can be reached directly, where anybody "
                 "could write the header that says who she is.", low=0, high=10),
        Variable("INSTANCE_DIR", (), "folder", "instance",
                 "The folder for SQLite files, generated keys and stored media."),
        Variable("MEDIA_DIR", (), "folder", "",
                 "The folder for stored media. Empty: `media` in the instance folder."),
        Variable("DEMO", (), "flag", "",
                 "1 always writes demo history, 0 never. Empty: when the database is empty and no "
                 "credentials are set."),
        Variable("ADMIN_EMAIL", (), "email", "",
                 "The first admin, who also receives alerts."),
        Variable("ADMIN_PASSWORD", (), "text", "",
                 "The first admin's password. Empty: one is generated and printed once.", is_secret=True),
        Variable("API_REQUESTS_PER_MINUTE", (), "whole", "600",
                 "How many requests a minute one API key may make.", low=1, high=1_000_000),
        Variable("LOG_LEVEL", (), "choice", "INFO",
                 "DEBUG, INFO, WARNING, ERROR or CRITICAL.",
                 choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")),
        Variable("LOG_FORMAT", (), "choice", "",
                 "text or json. Empty: json in production, else text.", choices=("text", "json")),
    )),
    Group("Database, queue, processes", (
        Variable("DATABASE_URL", (), "database", "",
                 "postgresql://user:password@host/name, mysql://..., mariadb://... or sqlite:///file. Empty: "
                 "an SQLite file in the instance folder.", is_secret=True),
        Variable("QUEUE_URL", (), "queue", "",
                 "redis://host:6379/0 carries wake-ups between several hosts. Empty: an SQLite file in the "
                 "instance folder.", is_secret=True),
        Variable("WORKER_THREADS", (), "whole", "4",
                 "How many conversations one worker serves at once.", low=1, high=64),
        Variable("WEB_CONCURRENCY", (), "whole", "2",
                 "How many web processes gunicorn starts.", low=1, high=64),
        Variable("WEB_THREADS", (), "whole", "16",
                 "How many requests one web process serves at once; every open live page holds one.",
                 low=1, high=256),
    )),
    Group("WhatsApp through Meta's Cloud API", (
        Variable("WHATSAPP_ACCESS_TOKEN", ("WHATSAPP_TOKEN",), "text", "",
                 "The permanent token of a system user.", is_secret=True),
        Variable("WHATSAPP_PHONE_NUMBER_ID", ("PHONE_NUMBER_ID",), "number_id", "",
                 "The id (not the number) of the phone."),
        Variable("WHATSAPP_BUSINESS_ACCOUNT_ID", (), "text", "",
                 "The WhatsApp Business Account; needed for templates."),
        Variable("WHATSAPP_VERIFY_TOKEN", ("WHATSAPP_WEBHOOK_VERIFY_TOKEN", "VERIFY_TOKEN"), "text", "",
                 "A word of your own choice that Meta repeats when the webhook is registered.",
                 is_secret=True),
        Variable("WHATSAPP_APP_SECRET", ("WHATSAPP_WEBHOOK_SECRET",), "text", "",
                 "The app secret that signs webhooks; required in production when WhatsApp is connected.",
                 is_secret=True),
        Variable("GRAPH_API_BASE_URL", (), "url", "https://graph.facebook.com",
                 "Where Meta's Graph API answers."),
        Variable("GRAPH_API_VERSION", (), "version", "v26.0",
                 "The Graph API version."),
    )),
    Group("WhatsApp through Twilio", (
        Variable("TWILIO_ACCOUNT_SID", (), "text", "",
                 "The account id, AC..."),
        Variable("TWILIO_AUTH_TOKEN", (), "text", "",
                 "The auth token, which also signs webhooks.", is_secret=True),
        Variable("TWILIO_PHONE_NUMBER", (), "phone", "",
                 "The WhatsApp number, with + and country code."),
        Variable("TWILIO_API_BASE_URL", (), "url", "https://api.twilio.com",
                 "Where Twilio's API answers."),
        Variable("TWILIO_REPLY_MODE", (), "choice", "rest",
                 "rest sends answers by API and follows receipts; twiml answers inside the webhook.",
                 choices=("rest", "twiml")),
        Variable("VERIFY_WEBHOOK", (), "flag", "true",
                 "false accepts unsigned webhooks; refused in production."),
    )),
    Group("The language model (all optional)", (
        Variable("OPENROUTER_API_KEY", (), "text", "", "Key of OpenRouter.", is_secret=True),
        Variable("OPENAI_API_KEY", (), "text", "", "Key of OpenAI.", is_secret=True),
        Variable("ANTHROPIC_API_KEY", (), "text", "", "Key of Anthropic.", is_secret=True),
        Variable("AI_BASE_URL", (), "url", "",
                 "Any server that speaks chat completions: one of your own (Ollama, llama.cpp, vLLM) or "
                 "another service. It comes before the keys above."),
        Variable("AI_API_KEY", (), "text", "",
                 "The key for AI_BASE_URL, when it wants one; the keys above are never sent there.",
                 is_secret=True),
        Variable("AI_MODEL", (), "text", "",
                 f"The model. Empty: {DEFAULT_MODEL} through OpenRouter, else the service's own default. "
                 "A service's name in front (openai:gpt-4o-mini) chooses among several keys, also below."),
        Variable("AI_FALLBACK_MODELS", (), "names", "",
                 "Models to try when the first fails, with commas between."),
        Variable("AI_VISION_MODEL", (), "text", "",
                 "The model that reads pictures and PDFs. Empty: they wait for a person."),
        Variable("AI_TRANSCRIPTION_MODEL", (), "text", "",
                 "The model that writes down voice notes, for example openai:whisper-1. Empty: they wait "
                 "for a person."),
        Variable("AI_PRICE_IN", (), "dollars", "",
                 "US dollars per million tokens sent, where the service does not tell the cost of a call "
                 "(OpenRouter does).", low=0, high=10_000),
        Variable("AI_PRICE_OUT", (), "dollars", "",
                 "US dollars per million tokens received.", low=0, high=10_000),
        Variable("AI_DAILY_SPEND_CAP_USD", (), "dollars", "1.00",
                 "When the day's calls have cost this much, only models that are known to cost nothing are "
                 "asked until midnight: OpenRouter's :free, a server of your own without a key, or prices of "
                 "0. With 0 no other is ever asked. Calls of unknown cost do not count: set the prices.",
                 low=0, high=1_000_000),
        Variable("AI_JUDGE", (), "choice", "doubt",
                 "A second, short call that holds a written reply against the shop's facts before it leaves. "
                 "doubt: when a sentence says what the desk cannot find among the facts; always; never.",
                 choices=("doubt", "always", "never")),
        Variable("AI_USE", (), "choice", "all",
                 "What the models are asked for. all: replies to customers too; operators: only suggestions, "
                 "summaries, translations and files; off: nothing, whatever keys are set.",
                 choices=("all", "operators", "off")),
        Variable("AI_READS", (), "flag", "true",
                 "false leaves the reading of messages to local analysis alone; else the call that writes a "
                 "reply also reads a message of which local analysis is not sure."),
        Variable("AI_INTENTS_LEFT_OUT", (), "names", "",
                 "Intents that the desk answers without a model, with commas between, such as complaint."),
        Variable("AI_NICHES_LEFT_OUT", (), "names", "",
                 "Niches (or categories) of products of which no model writes, with commas between."),
        Variable("AI_TONE", (), "text", "",
                 "How replies are to sound, in the shop's own words: you or thou, emoji or none. Facts, "
                 "prices and the guards stand above it."),
        Variable("AI_TEMPERATURE", (), "number", "0.7",
                 "How freely replies are worded; 0 always takes the likeliest word.", low=0, high=2),
        Variable("AI_REPLY_TOKENS", (), "whole", "700",
                 "The longest reply of a model, in tokens, its form included.", low=200, high=4000),
    )),
    Group("How the desk reads", (
        Variable("LOCAL_AI", (), "flag", "",
                 "The optional local model of `make local-ai`: 0 leaves it alone. Empty: it helps to read "
                 "when it is installed."),
    )),
    Group("How the desk answers", (
        Variable("START_FLOW", (), "choice", "",
                 "nexora, shop or desk: what a new contact meets. Empty: shop when PRODUCT_NAME is set, else "
                 "nexora.", choices=("nexora", "shop", "desk")),
        Variable("DEFAULT_LANGUAGE", (), "language", "pt",
                 "pt, es or en, until the customer's own language is known."),
        Variable("TIME_ZONE", (), "zone", "America/Sao_Paulo",
                 "The time zone of the shop's days and hours."),
        Variable("WORKING_HOURS", (), "hours", "",
                 "When people of yours answer: mon-fri 09:00-12:00 13:00-18:00; sat 09:00-13:00. Outside, "
                 "who asks for a person is told when that will be. Hours that an admin writes in the pages "
                 "come first. Empty: nothing is said of hours."),
        Variable("APPOINTMENT_MINS", (), "whole", "30",
                 "How long an appointment lasts; free times are offered in such steps.", low=5, high=480),
        Variable("PERSON_BELOW", (), "number", "0",
                 "Free text whose intent is read with less confidence than this (0 to 1) goes to a person. "
                 "0: the desk answers or asks back.", low=0, high=1),
        Variable("QUIET_SECS", (), "number", "2.0",
                 "How long free text waits for more, so that a burst gets one answer.", low=0, high=60),
        Variable("QUIET_MAX_SECS", (), "number", "8.0",
                 "The longest that a burst may wait.", low=0, high=120),
        Variable("SESSION_TIMEOUT_MINS", (), "whole", "30",
                 "Minutes of silence after which a menu starts again.", low=1, high=1440),
        Variable("ANSWER_MAX_AGE_SECS", (), "whole", "3600",
                 "Older messages are stored and shown but not answered by the bot.", low=1, high=604800),
        Variable("UNANSWERED_ALERT_MINS", (), "whole", "15",
                 "An alert is raised when a message has had no answer for so long: of the desk by the clock, "
                 "of a person in working hours; 0 never.", low=0, high=10080),
        Variable("UNCERTAIN_RESEND_SECS", (), "whole", "60",
                 "When a send was cut off and no receipt came, send once more after this long; 0 never.",
                 low=0, high=86400),
        Variable("RATE_LIMIT_PER_SECOND", (), "whole", "80",
                 "Messages a second that a number may send (Meta: 80, 20 in coexistence).", low=1, high=1000),
        Variable("SEND_TIMEOUT_SECS", (), "number", "15",
                 "How long one call to a provider may take.", low=1, high=120),
        Variable("BOOKING_URL", (), "url", "https://nexorainvestments.com/book",
                 "Where appointments are booked."),
        Variable("BROCHURE_URL", (), "url", "https://nexorainvestments.com/brochure.pdf",
                 "The brochure that is sent."),
    )),
    Group("The owner's own phone", (
        Variable("OWNER_PHONE", (), "phone", "",
                 "Your own WhatsApp number, with + and country code: paid orders, payments to confirm, "
                 "customers who wait and complaints reach it through the shop's number, with buttons. What "
                 "is set on the page for one number comes before it."),
        Variable("OWNER_TEMPLATE", (), "text", "",
                 "An approved template with one variable, as name or name:language, which asks you to write "
                 "when your 24-hour window is closed. Empty: news waits until you write."),
    )),
    Group("What the desk writes by itself", (
        Variable("FOLLOW_UPS", (), "flag", "true",
                 "One message about a cart that was left, an order without payment or a silent lead, inside "
                 "the 24-hour window and from 9 to 20 o'clock; false writes none."),
    )),
    Group("How it learns to sell", (
        Variable("LEARNING_POLICY", (), "choice", "epsilon_greedy",
                 "How a strategy is chosen: epsilon_greedy, literal (explores less after each conversation "
                 "and soon never), thompson or uniform.",
                 choices=("epsilon_greedy", "literal", "thompson", "uniform")),
        Variable("LEARNING_HOLDOUT", (), "number", "0.10",
                 "The share of contacts who always get any strategy alike: what the learning is measured "
                 "against.", low=0, high=0.5),
        Variable("LEARNING_ATTRIBUTION_DAYS", (), "whole", "7",
                 "For how many days after its choice an order is a strategy's merit; a product may have its "
                 "own.", low=1, high=90),
        Variable("LEARNING_HALF_LIFE", (), "choice", "adaptive",
                 "When what was learnt is forgotten: adaptive (when customers are seen to change), off "
                 "(never), or by half in 30 or 90 days.",
                 choices=("adaptive", "off", "30", "90")),
        Variable("LEARNING_REWARD", (), "choice", "sale",
                 "What is learnt from: sale (each counts alike), or value (what it brought, as a share of "
                 "LEARNING_VALUE_CAP).", choices=("sale", "value")),
        Variable("LEARNING_VALUE_CAP", (), "whole", "1000",
                 "With LEARNING_REWARD=value: a sale of so much or more, in the currency's whole units, "
                 "counts as 1. One huge order must not decide alone.", low=1, high=1_000_000),
    )),
    Group("One product from the environment (more are kept in the database)", (
        Variable("PRODUCT_NAME", (), "text", "", "Its name."),
        Variable("PRODUCT_PRICE", (), "price", "", "Its price, 97.00 or R$ 1.497,00."),
        Variable("PRODUCT_DESCRIPTION", (), "text", "", "What it is."),
        Variable("PRODUCT_BENEFITS", (), "phrases", "",
                 "What it brings, with semicolons or commas between."),
    )),
    Group("Payment without any account (the admin's form comes before these)", (
        Variable("PIX_KEY", (), "text", "",
                 "The Pix key that customers pay to: e-mail, +55 phone, CPF, CNPJ or random key. Turns Pix "
                 "on, which a person confirms."),
        Variable("PIX_NAME", (), "text", "", "Who is paid, as the bank knows it."),
        Variable("PIX_CITY", (), "text", "", "The city of who is paid."),
        Variable("MANUAL_PAYMENT_TEXT", (), "text", "",
                 "What customers are told about a bank transfer. Turns that way of paying on."),
    )),
    Group("Orders that nobody pays", (
        Variable("UNPAID_ORDER_DAYS", (), "whole", "3",
                 "After how many days an order that was not paid ends by itself, which gives its stock back; "
                 "0 never. Money that comes later takes it up again while the goods are there.",
                 low=0, high=365),
        Variable("CLAIMED_ORDER_DAYS", (), "whole", "10",
                 "After how many days an order ends whose customer says that it is paid, while nobody found "
                 "the money; 0 never. Admins are told two days before.", low=0, high=365),
    )),
    Group("Payment through Stripe", (
        Variable("STRIPE_SECRET_KEY", (), "text", "",
                 "The secret key (sk_live_..., sk_test_...) or a restricted one (rk_...). Turns payment by "
                 "card on.", is_secret=True),
        Variable("STRIPE_WEBHOOK_SECRET", (), "names", "",
                 "The signing secret (whsec_...) of the webhook endpoint; required in production. While it "
                 "is being replaced, the old one behind the new one, with a comma between.", is_secret=True),
        Variable("STRIPE_API_BASE_URL", (), "url", "https://api.stripe.com", "Where Stripe's API answers."),
    )),
    Group("Payment through Mercado Pago (Pix)", (
        Variable("MERCADOPAGO_ACCESS_TOKEN", (), "text", "",
                 "The access token (APP_USR-...) of the application. Turns Pix on that is confirmed by "
                 "itself.", is_secret=True),
        Variable("MERCADOPAGO_WEBHOOK_SECRET", (), "names", "",
                 "The secret signature of the application's webhooks; required in production. While it is "
                 "being replaced, the old one behind the new one, with a comma between.", is_secret=True),
        Variable("MERCADOPAGO_API_BASE_URL", (), "url", "https://api.mercadopago.com",
                 "Where Mercado Pago's API answers."),
    )),
    Group("How long data is kept, in days (0: for ever)", (
        Variable("RETENTION_EVENTS_DAYS", (), "whole", "90",
                 "Raw webhooks of providers and payment services that are done, and entries of lead forms.",
                 low=0, high=36500),
        Variable("RETENTION_OUTGOING_DAYS", (), "whole", "30",
                 "What other programs were told by webhook, and the log of it; also what they changed "
                 "through the API, with its Idempotency-Keys.", low=0, high=36500),
        Variable("RETENTION_ALERTS_DAYS", (), "whole", "180",
                 "Alerts that were acknowledged.", low=0, high=36500),
        Variable("RETENTION_MODEL_CALLS_DAYS", (), "whole", "400",
                 "What calls to language models cost; they hold no words.", low=0, high=36500),
        Variable("RETENTION_MEDIA_DAYS", (), "whole", "0",
                 "Files that came with messages; the message stays.", low=0, high=36500),
        Variable("RETENTION_PEOPLE_DAYS", (), "whole", "0",
                 "Customers who have been silent for so long are deleted with everything of theirs, and a "
                 "receipt is kept; not while an order of theirs is younger.", low=0, high=36500),
    )),
    Group("Other services", (
        Variable("SMTP_URL", (), "smtp", "",
                 "smtp://user:password@host:587 or smtps://...; without it e-mails are kept and shown only.",
                 is_secret=True),
        Variable("MAIL_FROM", ("SMTP_FROM",), "email", "",
                 "The address that e-mails come from. Empty: the user of SMTP_URL where it is an address, "
                 "else ADMIN_EMAIL."),
        Variable("TWILIO_SMS_FROM", (), "phone", "",
                 "The number at Twilio that alerts come from as text messages, with + and country code."),
        Variable("ALLOW_PRIVATE_ADDRESSES", (), "flag", "false",
                 "true lets alerts' webhooks and pushes go to this machine and its network, and without TLS: "
                 "for trying out. Refused in production."),
        Variable("CAREERJET_AFFILIATE_ID", (), "text", "", "Turns the job search on."),
        # The documented address of the affiliate interface has no TLS.
        Variable("CAREERJET_BASE_URL", (), "url", "http://public.api.careerjet.net",
                 "Where CareerJet's public search answers."),
    )),
)
# fmt: on
