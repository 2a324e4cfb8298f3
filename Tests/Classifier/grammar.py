# SPDX-License-Identifier: Apache-2.0
"""What is for the primary by rule, told from PostgreSQL's own parse tree and catalogue.

Written apart from the classifier, on purpose: where the two disagree, one of them is wrong.
"""

import json
import re

from pglast import keywords
from pglast.parser import ParseError, parse_sql_json

# Volatile in PostgreSQL, but a standby serves them as well.
HARMLESS = set("""
    random random_normal gen_random_uuid uuidv4 uuidv7 array_sample array_shuffle clock_timestamp
    timeofday pg_sleep pg_sleep_for pg_sleep_until current_query pg_jit_available set_config
    pg_partition_ancestors pg_partition_tree pg_get_wal_resource_managers bernoulli system
    pg_collation_actual_version pg_database_collation_actual_version pg_relation_size pg_table_size
    pg_indexes_size pg_total_relation_size pg_database_size pg_tablespace_size
    """.split())
# Not volatile, but the answer belongs to the primary or runs text that nobody sees.
STABLE_BUT_PRIMARY = set("""
    txid_current txid_current_if_assigned txid_current_snapshot pg_current_xact_id
    pg_current_xact_id_if_assigned pg_current_snapshot pg_get_replication_slots pg_lock_status
    pg_prepared_statement pg_cursor pg_listening_channels pg_walfile_name pg_walfile_name_offset
    table_to_xml table_to_xmlschema table_to_xml_and_xmlschema schema_to_xml database_to_xml
    pg_postmaster_start_time pg_conf_load_time pg_show_all_file_settings pg_hba_file_rules
    """.split())
ASKING = {"transaction_read_only", "in_hot_standby", "default_transaction_read_only"}
NODE_RELATIONS = set("""
    pg_locks pg_replication_slots pg_replication_origin_status pg_prepared_xacts
    pg_prepared_statements pg_cursors pg_sequences pg_backend_memory_contexts pg_hba_file_rules
    """.split())
MODIFYING = {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}
READING = {"SelectStmt", "VariableShowStmt", "VariableSetStmt", "ExplainStmt", "CopyStmt",
           "PrepareStmt", "DeallocateStmt", "DeclareCursorStmt", "FetchStmt", "ClosePortalStmt",
           "TransactionStmt", "DiscardStmt"}
TRANSACTION_SETTINGS = {"transaction_isolation", "transaction_read_only", "transaction_deferrable"}
HOLD = 0x20
NOT_PARSABLE = "not parsable"
KEYWORDS = (keywords.COL_NAME_KEYWORDS | keywords.TYPE_FUNC_NAME_KEYWORDS
            | keywords.UNRESERVED_KEYWORDS)
CONTROLS = {"TRANS_STMT_BEGIN": "begin", "TRANS_STMT_START": "begin", "TRANS_STMT_COMMIT": "commit",
            "TRANS_STMT_ROLLBACK": "rollback", "TRANS_STMT_SAVEPOINT": "savepoint",
            "TRANS_STMT_RELEASE": "releaseSavepoint", "TRANS_STMT_ROLLBACK_TO": "rollbackToSavepoint",
            "TRANS_STMT_PREPARE": "prepareTransaction",
            "TRANS_STMT_COMMIT_PREPARED": "commitPrepared",
            "TRANS_STMT_ROLLBACK_PREPARED": "rollbackPrepared"}


def parses(text):
    try:
        parse_sql_json(text)
        return True
    except ParseError:
        return False


LONG_NAME = re.compile(r"\w{64}")


class Found(Exception):
    """A reason for the primary."""


class Rules:
    def __init__(self, connection, catalogue):
        self.volatile, self.known = set(), set()
        for name, volatile in connection.execute(
                "SELECT proname, bool_or(provolatile = 'v') FROM pg_proc GROUP BY 1"):
            self.known.add(name)
            if volatile and name not in HARMLESS:
                self.volatile.add(name)
        self.volatile |= STABLE_BUT_PRIMARY
        self.qualified, self.relations, self.operators = {}, {}, set()
        for row in catalogue.splitlines():
            kind, name = row.split("\t")
            bare = name.rsplit(".", 1)[-1]
            if kind == "operator":
                self.operators.add(name)
            elif kind in ("unlogged", "unsafe"):
                self.relations[name] = self.relations[bare] = kind
            else:
                self.qualified[name] = kind
                if kind != "safe":
                    self.volatile.add(bare)

    def judge(self, text, verdict):
        """The reason for the primary, or None, and what the classifier got wrong besides."""
        try:
            statements = json.loads(parse_sql_json(text)).get("stmts", [])
        except ParseError:
            # An error wherever it runs, but nothing may be built on it.
            wrong = verdict.control != "none" or verdict.command != "none"
            return NOT_PARSABLE, ["command of an unparsable text"] if wrong else []
        if LONG_NAME.search(text):
            # PostgreSQL cuts it, the classifier does not try to: for the primary, whatever it is.
            return "a name that is cut", [] if not verdict.is_replica else ["sent with a cut name"]
        complaints = []
        if verdict.reason not in ("unparsable", "unknown-statement") \
                and len(statements) != verdict.count:
            complaints.append(f"{len(statements)} statements, not {verdict.count}")
        trees = [statement["stmt"] for statement in statements]
        complaints += self.compare_control(trees, verdict)
        complaints += self.compare_command(trees, verdict, text)
        try:
            for tree in trees:
                self.statement(tree)
        except Found as found:
            return str(found), complaints
        return None, complaints

    def compare_control(self, trees, verdict):
        expected = "none"
        is_control = [self.is_control(tree) for tree in trees]
        if len(trees) == 1 and is_control[0]:
            node = trees[0].get("TransactionStmt")
            expected = CONTROLS[node["kind"]] if node else "setTransaction"
            if node and node.get("chain"):
                expected += "AndChain"
        actual = verdict.control.split("(")[0]
        complaints = []
        if actual != expected:
            complaints.append(f"control {actual}, not {expected}")
        if any(is_control) != verdict.transaction and verdict.reason not in (
                "unparsable", "unknown-statement"):
            complaints.append("containsTransactionControl is wrong")
        return complaints

    def is_control(self, tree):
        node = tree.get("VariableSetStmt", {})
        return "TransactionStmt" in tree or node.get("name") in ("TRANSACTION", "TRANSACTION SNAPSHOT")

    def compare_command(self, trees, verdict, text):
        """Session commands must be reported, since the session answers or replays them."""
        actual = verdict.command.split("(")[0]
        expected = {"none"}
        if len(trees) == 1:
            (kind, node), = trees[0].items()
            expected = self.expected_command(kind, node, text)
        return [] if actual in expected else [f"command {actual}, not {'/'.join(sorted(expected))}"]

    def expected_command(self, kind, node, text):
        if kind == "VariableSetStmt":
            name = node.get("name", "")
            if name.startswith("TRANSACTION") or name == "xmloption":
                return {"none", "set", "setDefault"} if name == "xmloption" else {"none"}
            if name.split(".")[0] in ("transaction", "local", "session", "constraints"):
                # There are no such settings, so it does not matter what is said of them.
                return {"none", "set", "setDefault", "reset"}
            if name == "SESSION CHARACTERISTICS":
                return {"setCharacteristics"}
            return {"VAR_SET_VALUE": {"set"}, "VAR_SET_DEFAULT": {"setDefault"},
                    "VAR_RESET": {"reset"}, "VAR_RESET_ALL": {"resetAll"},
                    "VAR_SET_CURRENT": {"none"}}[node["kind"]]
        if kind == "VariableShowStmt":
            return {"showAll"} if node["name"] == "all" else {"show"}
        if kind == "DiscardStmt":
            return {{"DISCARD_ALL": "discardAll", "DISCARD_PLANS": "discardPlans",
                     "DISCARD_SEQUENCES": "discardSequences", "DISCARD_TEMP": "discardTemporary"}[
                         node["target"]]}
        if kind == "DeallocateStmt":
            return {"deallocate"} if node.get("name") else {"deallocateAll"}
        if kind == "UnlistenStmt":
            return {"unlisten"} if node.get("conditionname") else {"unlistenAll"}
        if kind == "ClosePortalStmt":
            return {"closeCursor"} if node.get("portalname") else {"closeAllCursors"}
        if kind == "CopyStmt":
            if node.get("filename") or node.get("is_program"):
                return {"none"}
            # The tree as JSON does not tell an empty file name from none.
            empty = {"none"} if text.rstrip().endswith("''") else set()
            return empty | {"copyFromStdin" if node.get("is_from") else "copyToStdout"}
        if kind == "SelectStmt":
            return {"none", "setConfig"}
        return {{"PrepareStmt": "prepare", "ExecuteStmt": "execute", "ListenStmt": "listen",
                 "DeclareCursorStmt": "declareCursor", "FetchStmt": "fetchCursor"}.get(kind, "none")}

    def statement(self, tree):
        (kind, node), = tree.items()
        if kind not in READING:
            raise Found(kind)
        if kind == "ExplainStmt":
            return self.explain(node)
        if kind == "PrepareStmt":
            return self.walk(node["query"])
        if kind == "CopyStmt" and (node.get("is_from") or node.get("filename") or node.get("is_program")):
            raise Found("COPY")
        if kind == "DeclareCursorStmt" and node["options"] & HOLD:
            raise Found("WITH HOLD")
        if kind == "VariableShowStmt" and node["name"].lower() in ASKING | {"all"}:
            raise Found("SHOW")
        if kind == "TransactionStmt":
            return self.transaction(node)
        if kind == "VariableSetStmt":
            return self.setting(node)
        self.walk(tree)

    def explain(self, node):
        analyze = False
        for option in node.get("options", []):
            element = option["DefElem"]
            if element["defname"] == "analyze":
                analyze = self.truth(element.get("arg"))
        (kind, _), = node["query"].items()
        if kind not in MODIFYING | {"SelectStmt", "DeclareCursorStmt"}:
            raise Found(kind)
        self.walk(node["query"], planned=not analyze)

    def truth(self, argument):
        if argument is None:
            return True
        (_, value), = argument.items()
        return not (value.get("sval") in ("false", "off") or value == {} or value.get("ival") == 0)

    def modes(self, options):
        for option in options:
            element = option["DefElem"]
            value = element.get("arg", {}).get("A_Const", {})
            yield element["defname"], value.get("sval", {}).get("sval"), value.get("ival", {}).get("ival", 0)

    def transaction(self, node):
        kind = node["kind"]
        if "PREPARE" in kind:
            raise Found("two-phase")
        if kind not in ("TRANS_STMT_BEGIN", "TRANS_STMT_START"):
            return
        read_only = False
        for name, text, number in self.modes(node.get("options", [])):
            if name == "transaction_isolation" and text == "serializable":
                raise Found("SERIALIZABLE")
            if name == "transaction_read_only":
                read_only = bool(number)
        if not read_only:
            raise Found("BEGIN that may write")

    def setting(self, node):
        name = node.get("name", "")
        values = [argument.get("A_Const", {}).get("sval", {}).get("sval")
                  for argument in node.get("args", [])]
        if name in TRANSACTION_SETTINGS or name == "TRANSACTION SNAPSHOT":
            raise Found("SET of a transaction setting")
        if name == "default_transaction_isolation" and "serializable" in values:
            raise Found("SERIALIZABLE")
        if name == "search_path" and values[:1] == ["pg_temp"]:
            raise Found("temporary schema")
        if name not in ("TRANSACTION", "SESSION CHARACTERISTICS"):
            return
        for mode, text, number in self.modes(node.get("args", [])):
            if mode == "transaction_isolation" and text == "serializable":
                raise Found("SERIALIZABLE")
            if name == "TRANSACTION" and mode == "transaction_read_only" and not number:
                raise Found("READ WRITE")

    def walk(self, tree, planned=False):
        if isinstance(tree, list):
            for item in tree:
                self.walk(item, planned)
        elif isinstance(tree, dict):
            for key, node in tree.items():
                if isinstance(node, dict):
                    self.node(key, node, planned)
                self.walk(node, planned)

    def node(self, key, node, planned):
        if key in ("relation", "RangeVar") and "relname" in node:
            self.relation(node)
        if key == "intoClause":
            raise Found("INTO")
        if planned:
            return
        if key in MODIFYING or key == "LockingClause":
            raise Found(key)
        if key == "FuncCall":
            self.call([part["String"]["sval"] for part in node["funcname"]], node.get("args", []))
        if key == "sval" and node.get("sval", "").lower() in ASKING:
            raise Found("asks for the primary")
        if key == "TypeName":
            name = node["names"][-1]["String"]["sval"]
            if name in self.relations:
                raise Found(f"type {name}")
        if key == "A_Expr":
            operator = node["name"][-1]["String"]["sval"]
            if operator in self.operators:
                raise Found(f"operator {operator}")
        if key in ("ColumnRef", "A_Indirection"):
            parts = node.get("fields") or node.get("indirection")
            last = parts[-1].get("String", {}).get("sval")
            if len(parts) > (key == "ColumnRef") and any(
                    q.endswith("." + str(last)) and k != "safe" for q, k in self.qualified.items()):
                raise Found(f"attribute {last}")

    def relation(self, node):
        schema, name = node.get("schemaname", ""), node["relname"]
        if re.fullmatch("pg_temp(_[0-9]+)?", schema):
            raise Found("temporary relation")
        if name in NODE_RELATIONS or (name.startswith(("pg_stat_", "pg_statio_"))):
            raise Found(name)
        if self.relations.get(f"{schema}.{name}" if schema else name):
            raise Found(f"relation {name}")

    def call(self, parts, arguments):
        name = parts[-1]
        if len(parts) > 1 and parts[0] == "information_schema":
            return
        if len(parts) > 1 and parts[0] != "pg_catalog":
            if self.qualified.get(".".join(parts[-2:])) == "safe":
                return
            raise Found(f"function {'.'.join(parts)}")
        # Before a parenthesis a keyword is taken for grammar (`PARTITION BY (`), unless the
        # catalogue has a function of that name: then it would be an error on either server.
        is_unknown = name not in self.known and name not in KEYWORDS
        if name in self.volatile or is_unknown or name.startswith("pg_stat_"):
            raise Found(f"function {name}")
        constant = arguments[0].get("A_Const", {}).get("sval", {}).get("sval") if arguments else None
        if name == "current_setting" and constant is None:
            raise Found("current_setting of something")
        if name == "set_config" and constant in (
                "transaction_isolation", "default_transaction_isolation"):
            raise Found("isolation level")
