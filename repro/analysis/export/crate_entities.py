"""The entities of an RO-Crate 1.1, as the JSON-LD that https://w3id.org/ro/crate/1.1 describes.

Every entity stands by itself in a flat list, and names others by their `@id` alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote as as_uri

from repro.definition.run import Run
from repro.provenance.citation import Author, Citation, Paper
from repro.storage.run_files import DataFacts, Final

Entity = dict[str, Any]

METADATA = "ro-crate-metadata.json"
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
# Version 1.1 does not know `sha256`; this is what later versions take it for.
CONTEXT = [f"{SPECIFICATION}/context", {"sha256": "http://schema.org/sha256"}]

_FORMATS = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".cff": "application/yaml",
    ".pt": "application/zip",  # as torch.save writes it
    "": "text/plain",
}
_WHAT = {
    "run.json": "The definition of the run: net, recipe, seed and scale",
    "metrics.jsonl": "The curve: one line of JSON for each point, with a digest of itself",
    "final.json": "What was measured at the end, and where the numbers come from",
    "published.json": "The SHA-256 of the other files, as they were published",
    "weights.pt": "The weights and batch-norm buffers of the net, for torch.load",
    "weights.json": "The SHA-256 of the weights, and the command that measures them",
    "numbers.csv": "All numbers of these runs: a row for each run, iteration and metric",
    "CITATION.cff": "How to cite the software and the paper",
    "LICENSE": "The text of the licence",
}


def reference(entity: Entity | str) -> Entity:
    """Return what names an entity from another one."""
    return {"@id": entity if isinstance(entity, str) else entity["@id"]}


def references(entities: Sequence[Entity]) -> Entity | list[Entity]:
    """Return what names several entities; one alone stands without a list."""
    named = [reference(entity) for entity in entities]
    if len(named) == 1:  # as the compacted form of JSON-LD has it
        return named[0]
    return named


def descriptor() -> Entity:
    """Return the entity of the metadata file itself."""
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": SPECIFICATION},
        "about": {"@id": "./"},
    }


def file(path: str, content: bytes) -> Entity:
    """Return a file of the crate; `path` is relative to its root."""
    name = path.rpartition("/")[2]
    ending = f".{name.rpartition('.')[2]}" if "." in name else ""
    return {
        "@id": as_uri(path),
        "@type": "File",
        "name": name,
        "description": _WHAT[name],
        "contentSize": str(len(content)),
        "encodingFormat": _FORMATS[ending],
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def folder(run: Run, files: Sequence[Entity]) -> Entity:
    """Return the folder of a run."""
    return {
        "@id": f"runs/{as_uri(run.id)}/",
        "@type": "Dataset",
        "name": run.id,
        "description": f"The published record of {_named(run)}",
        "hasPart": references(files),
    }


def licence(citation: Citation) -> Entity:
    return {
        "@id": f"https://spdx.org/licenses/{citation.license}",
        "@type": "CreativeWork",
        "name": f"{citation.license} License",
        "description": "The text is in the file LICENSE.",
        "identifier": citation.license,
    }


def authors(people: Iterable[Author], prefix: str) -> list[Entity]:
    """Return people and groups; those without an ORCID get a name in this crate."""
    entities = []
    for author in people:
        entity: Entity = {"@id": author.orcid or f"#{prefix}-{_plain(author.full_name)}"}
        if not author.is_person:  # a group has no given name
            entities.append(entity | {"@type": "Organization", "name": author.full_name})
            continue
        entity |= {"@type": "Person", "name": author.full_name}
        entity |= {"familyName": author.family_names, "givenName": author.given_names}
        if author.affiliation:
            entity["affiliation"] = reference(organisation(author.affiliation))
        entities.append(entity)
    return entities


def organisation(name: str) -> Entity:
    return {"@id": f"#organisation-{_plain(name)}", "@type": "Organization", "name": name}


def article(paper: Paper, writers: Sequence[Entity]) -> Entity:
    """Return the paper that is reproduced, by its DOI."""
    return {
        "@id": f"https://doi.org/{paper.doi}",
        "@type": "ScholarlyArticle",
        "name": paper.title,
        "author": references(writers),
        "datePublished": paper.year,
        "identifier": f"https://doi.org/{paper.doi}",
        "sameAs": paper.url,
    }


def code(final: Final, citation: Citation) -> Entity:
    """Return the software at the commit that trained a run."""
    commit, dirty = final.provenance.commit, final.provenance.dirty
    short = (commit or "an unknown commit")[:17]
    whole = re.fullmatch("[0-9a-f]{40}", commit or "") is not None
    # The identifier that Software Heritage gives a commit can be computed by everybody.
    entity_id, name = f"#code-{as_uri(commit or 'unknown')}", f"repro at {short}"
    if dirty:
        # Changed code is not what the commit has, so it must not get the commit's identifier.
        entity_id, name = f"{entity_id}-changed", f"{name}, with changes that no commit has"
    elif whole:
        entity_id = f"swh:1:rev:{commit}"
    entity = {
        "@id": entity_id,
        "@type": "SoftwareSourceCode",
        "name": name,
        "programmingLanguage": "Python",
        "version": commit or "unknown",
    }
    if citation.repository_code:
        entity["codeRepository"] = citation.repository_code
    return entity


def data(facts: DataFacts) -> Entity:
    """Return the images that a run was trained on; they are not ours to give away."""
    entity = {
        "@id": f"#data-{as_uri(facts.hash or facts.name or 'unknown')}",
        "@type": "CreativeWork",
        "name": facts.name or "unknown images",
        "description": f"Images of origin: {facts.origin or 'unknown'}. They are not part of this "
        f"crate.",
    }
    if facts.hash:
        entity["identifier"] = facts.hash
    return entity


def training(run: Run, final: Final, used: Sequence[Entity], made: Sequence[Entity]) -> Entity:
    """Return the action that trained a run: what it used, and what it made."""
    about = final.provenance
    action: Entity = {
        "@id": f"#training-{as_uri(run.id)}",
        "@type": "CreateAction",
        "name": f"Training of {_named(run)}",
        "description": f"On {about.device or 'an unknown device'}, in {run.recipe.precision}, with "
        f"torch {about.torch or 'unknown'}; digest of the code that can move a "
        f"number: {about.code or 'unknown'}",
        "object": references(used),
        "result": references(made),
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
    }
    for key, time in (("startTime", about.started), ("endTime", about.ended)):
        if time:
            action[key] = time
    return action


def _named(run: Run) -> str:
    return f"{run.net.name}, recipe {run.recipe.name}, scale {run.scale}, seed {run.seed}"


def _plain(name: str) -> str:
    """Return a name as a part of an identifier."""
    return re.sub(r"[^a-z]+", "-", name.lower()).strip("-")
