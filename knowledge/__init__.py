"""What the business knows and tells: articles, cut into passages, and the one search over them.

Admin pages, the command `import-articles` and the demo bring articles in; answering asks `search`, which also
says whether a passage clearly answers. What it gives carries its source (article and passage). Nothing here
speaks to a customer. Flushes, never commits.

    found = knowledge.search("vocês aceitam pix?", "pt", limit=3)
    if found and found[0].is_clear:
        say(found[0].text)  # source: found[0].article_id, found[0].passage_id, found[0].title
"""

from knowledge.articles import (
    ArticleRefused,
    Imported,
    article,
    article_languages,
    change_article,
    create_article,
    delete_article,
    import_files,
    list_articles,
    remove_demo_articles,
    switch_article,
)
from knowledge.files import PROBLEMS, FilesRefused, Problem, Sheet, Upload, uploads_of
from knowledge.passages import Part, cut
from knowledge.search import Found, search
from knowledge.words import lines_about

__all__ = [
    "PROBLEMS",
    "ArticleRefused",
    "FilesRefused",
    "Found",
    "Imported",
    "Part",
    "Problem",
    "Sheet",
    "Upload",
    "article",
    "article_languages",
    "change_article",
    "create_article",
    "cut",
    "delete_article",
    "import_files",
    "lines_about",
    "list_articles",
    "remove_demo_articles",
    "search",
    "switch_article",
    "uploads_of",
]
