# SPDX-License-Identifier: Apache-2.0
"""The manual, deploy/README.md and README.ko.md: what it names is there, and both say the same."""

import re

import pytest
import yaml

import known
import manifests
import manual
import test_budgets
from commands import OWN_OVERLAY, wrong_commands
from manifests import REPOSITORY

# Of other set-ups, of PostgreSQL, and of the reader's own; not to be found here.
ELSEWHERE = {"postgresql.conf", "mlops.orders.sql", "data_temp", "pg_wal"}


def read(path):
    """A manual's text and sections."""
    text = path.read_text()
    return text, manual.sections(text)


@pytest.fixture(scope="module", params=[manual.ENGLISH, manual.KOREAN], ids=["english", "korean"])
def one(request):
    """One of the two."""
    return read(request.param)


# What both must have in common.

def differences(english, korean):
    """Between two texts, by section."""
    first, second = manual.sections(english), manual.sections(korean)
    if (numbers := [(s.level, s.number) for s in first]) != [(s.level, s.number) for s in second]:
        yield f"the sections are not the same: {numbers}"
        return
    for here, there in zip(first, second):
        for what in ("tables", "items", "references", "bold"):
            if getattr(here, what) != getattr(there, what):
                yield f"section {here.number}: {what}: {getattr(here, what)}, {getattr(there, what)}"
        if odd := set(here.spans) ^ set(there.spans):
            yield f"section {here.number}: only one of them has {sorted(odd)}"
        # Drawings have words.
        code = [[(language, manual.without_comments(text) if language != "text" else None)
                 for language, text in section.blocks] for section in (here, there)]
        if code[0] != code[1]:
            yield f"section {here.number}: different commands"


def test_both_languages_say_the_same():
    """The same sections, tables, commands and names."""
    found = list(differences(manual.ENGLISH.read_text(), manual.KOREAN.read_text()))
    assert not found, "\n".join(found)


def test_the_korean_one_is_in_korean():
    """Every section has text of its own."""
    for section in read(manual.KOREAN)[1]:
        words = [line for line in section.lines if line.strip()]
        assert not words or re.search("[가-힣]", section.text), section.number


def test_sections_are_numbered(one):
    """One after another, so that "section 14" is where it says; each reference leads somewhere."""
    numbers = [s.number for s in one[1] if s.level == 2]
    assert numbers == [str(n + 1) for n in range(len(numbers))]
    for section in one[1]:
        assert set(section.references) <= set(numbers), section.number
        if section.level == 3:
            assert section.number.split(".")[0] in numbers


# Files.

def paths(text, found):
    """What is named like a path of the repository."""
    code = [block for section in found for _, block in section.blocks]
    spans = [span for section in found for span in section.spans]
    for piece in [*code, *spans]:
        for path in re.findall(r"(?<![\w/.-])((?:deploy|Tests|Sources|benchmarks)/[\w./-]*\w)", piece):
            # deploy/NAME is also how kubectl writes a Deployment.
            if not re.fullmatch(r"deploy/[a-z-]+", path) or (REPOSITORY / path).exists():
                yield path
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        if not link.startswith("http"):
            yield f"deploy/{link}"


def missing_files(text, found):
    """Paths and names of files that are not there."""
    for path in paths(text, found):
        if not path.startswith(OWN_OVERLAY) and not (REPOSITORY / path).exists():
            yield f"there is no {path}"
    for section in found:
        for span in section.spans:
            if re.fullmatch(r"[\w.-]+\.(yaml|yml|sh|py|sql|conf|md)", span) and \
                    span not in known.files() | known.keys() | ELSEWHERE:
                yield f"section {section.number}: there is no {span}"


def test_files_are_there(one):
    """Every path, link and file name."""
    found = list(missing_files(*one))
    assert not found, "\n".join(found)
    assert len(set(paths(*one))) > 20


def test_the_own_overlay_renders(one):
    """That of section 3, from where it says."""
    blocks = [text for section in one[1] for language, text in section.blocks if language == "yaml"]
    assert len(blocks) == 1 and blocks[0].startswith(f"# {OWN_OVERLAY}/kustomization.yaml\n")
    example = yaml.safe_load(blocks[0])
    place = REPOSITORY / OWN_OVERLAY
    assert [(place / name).resolve() for name in example["resources"]] == [manifests.BASE]
    components = [(place / name).resolve() for name in example["components"]]
    assert {path.parent for path in components} == {manifests.COMPONENTS}
    assert manifests.render(tuple(path.name for path in components))
    assert {image["name"] for image in example["images"]} == {
        image.split(":")[0] for image in known.images()}


def test_every_component_overlay_and_script_is_told_of(one):
    """What the manual does not name nobody finds."""
    everything = {span for section in one[1] for span in section.spans}
    assert set(manifests.component_names()) <= everything
    for path in [*(REPOSITORY / "deploy/scripts").glob("*.sh"), *manifests.OVERLAYS.iterdir()]:
        assert path.name == "lib.sh" or path.name in one[0], path


# Commands.


def test_commands_name_what_is_there(one):
    """Objects, labels, containers, images, options, files."""
    found = list(wrong_commands(one[1]))
    assert not found, "\n".join(found)


def test_well_known_commands_are_there(one):
    """Commands that operators know by heart."""
    code = "\n".join(text for section in one[1] for language, text in section.blocks)
    for command in (
        "kubectl create secret generic db", "--from-literal=POSTGRES_PASSWORD=",
        "--from-literal=POSTGRES_REPLICATION_PASSWORD=", "kubectl apply -f postgresql.yaml",
        "kubectl apply -f postgres-readonly.yaml", "kubectl apply -f postgres-security.yaml",
        "kubectl apply -f postgres-backup.yaml", "kubectl logs postgres-cluster-0 -c patroni",
        "kubectl exec -it postgres-cluster-0 -- psql -U postgres", "kubectl get pods",
        "kubectl create job --from=cronjob/postgres-backup manual-backup",
        "helm repo add prometheus-community https://prometheus-community.github.io/helm-charts",
        "helm install prometheus prometheus-community/kube-prometheus-stack",
    ):
        assert command in code, command


# Names in the text.

def unknown_names(found):
    """Objects, components, alerts, metrics, settings and variables that are not there."""
    everything = {name for _, name in known.names()} | set(manifests.component_names())
    everything |= {manifests.REPOSITORY.name, "martlet", "postgres-cluster-0"} | known.containers()
    everything |= known.files() | known.keys()
    for section in found:
        for span in section.spans:
            wrong = None
            if re.fullmatch(r"(postgres|martlet|pgdata|patroni|storage|hpa|tls|backup)-[a-z0-9-]+", span):
                wrong = span not in everything
            elif re.fullmatch(r"(Postgres|Patroni|Martlet)[A-Z]\w+", span):
                wrong = span not in known.alerts()
            elif re.fullmatch(r"[a-z]+(_[a-z]+)+", span) or re.fullmatch(r"[A-Z]+(_[A-Z]+)+", span):
                wrong = span not in ELSEWHERE and not known.has_word(known.deployed_text(), span)
            elif re.fullmatch(r"(routing|pools|kubernetes|clients|bootstrap)\.[a-z_]+", span):
                wrong = span not in known.settings()
            elif match := re.match(r"entrypoint: (?:ERROR: )?(.*)", span):
                text = re.sub(r"\$\{?\w+\}?|\$\([^)]*\)", "…", known.pod_scripts()["entrypoint.sh"])
                pieces = [re.escape(piece).replace("999:999", "…:…").replace("999", "…")
                          for piece in match.group(1).split("…")]
                wrong = not re.search(".{1,80}?".join(pieces).replace("…", ".{1,12}?"), text)
            if wrong:
                yield f"section {section.number}: there is no {span}"


def test_names_are_there(one):
    """Every name in the text that looks like one of ours."""
    found = list(unknown_names(one[1]))
    assert not found, "\n".join(found)


def test_figures_are_those_of_the_manifests(one, base):
    """The table of limits, the schedule, the number of replicas."""
    parameters = known.patroni_yml()["bootstrap"]["dcs"]["postgresql"]["parameters"]
    for name, worst in (("max_wal_senders", test_budgets.senders(base)),
                        ("max_replication_slots", test_budgets.slots(base)),
                        ("max_connections", test_budgets.connections(base))):
        assert f"| `{name}` | {worst} | {parameters[name]} |" in one[0]
    for name, minute, hour in (("postgres-backup", 15, 1), ("postgres-restore-test", 15, 4)):
        schedule = manifests.named(base, "CronJob", name)["spec"]["schedule"]
        assert schedule.split()[:2] == [str(minute), str(hour)]
        assert f"{hour:02}:{minute:02} UTC" in one[0]
    assert "`ttl`" in one[0] and known.patroni_yml()["bootstrap"]["dcs"]["ttl"] == 30
    keys = re.findall(r"^    (\w+) +# ", (REPOSITORY / "deploy/scripts/make-secret.sh").read_text(),
                      re.MULTILINE)
    assert len(keys) == 5
    for key in keys:
        assert f"| `{key}` |" in one[0], key


def test_the_top_readme_leads_here():
    """Or nobody finds it."""
    text = (REPOSITORY / "README.md").read_text()
    assert "](deploy/README.md)" in text and "](deploy/README.ko.md)" in text


# Each check can fail.

BREAKS = [
    (missing_files, "deploy/scripts/switchover.sh", "deploy/scripts/switch-over.sh"),
    (missing_files, "(README.ko.md)", "(README.kr.md)"),
    (missing_files, "`postgresql.yaml`", "`postgres.yaml`"),
    (wrong_commands, "cronjob/postgres-backup", "cronjob/postgres-backups"),
    (wrong_commands, "job/manual-backup", "job/manual"),
    (wrong_commands, "-c patroni", "-c postgres"),
    (wrong_commands, "get configmap postgres-cluster-leader", "get configmap postgres-leader"),
    (wrong_commands, "component=member", "component=members"),
    (wrong_commands, "deploy/postgres-readonly -- psql", "deploy/postgres-reader -- psql"),
    (wrong_commands, "-- patronictl history", "-- patronictl log"),
    (wrong_commands, "--role replica --pending", "--role replica --waiting"),
    (wrong_commands, "restore.sh --latest", "restore.sh --newest"),
    (wrong_commands, "apply -f postgres-readonly.yaml", "apply -f postgres-reader.yaml"),
    (wrong_commands, "overlays/kind\n", "overlays/minikube\n"),
    (wrong_commands, "svc/martlet 5432:5432", "svc/martlet 5432:6432"),
    (wrong_commands, "--build-arg UPGRADE_FROM=17", "--build-arg FROM=17"),
    (wrong_commands, "create secret generic db", "create secret generic database"),
    (wrong_commands, "pgdata-postgres-cluster-$number", "data-postgres-cluster-$number"),
    (unknown_names, "`postgres-wal`", "`postgres-log`"),
    (unknown_names, "`PostgresNoPrimary`", "`PostgresNoLeader`"),
    (unknown_names, "`routing.hold_timeout`", "`routing.hold`"),
    (unknown_names, "`martlet_read_demand`", "`martlet_reads`"),
    (unknown_names, "`APP_PASSWORD`", "`APPLICATION_PASSWORD`"),
    (unknown_names, "entrypoint: ERROR: cannot write", "entrypoint: ERROR: can not write"),
]


@pytest.mark.parametrize(("check", "old", "new"), BREAKS, ids=lambda x: getattr(x, "__name__", x))
def test_what_is_wrong_is_seen(check, old, new):
    """A manual that was broken on purpose."""
    text = manual.ENGLISH.read_text()
    assert old in text
    text = text.replace(old, new)
    found = manual.sections(text)
    assert list(check(text, found) if check is missing_files else check(found))


@pytest.mark.parametrize(("old", "new"), [
    ("## 7. ", "## 8. "), ("kubectl get hpa\n", ""), ("`Leader`", "`leader`"), ("\n- ", "\n* "),
    ("(14절)", "(13절)"), ("| EBS CSI", "| | EBS CSI"), ("**경고:", "경고:"),
])
def test_a_difference_is_seen(old, new):
    """Between the two languages."""
    korean = manual.KOREAN.read_text()
    assert old in korean
    assert list(differences(manual.ENGLISH.read_text(), korean.replace(old, new, 1)))
