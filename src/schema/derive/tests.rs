//! Do the right conclusions follow from facts, without a database?

use super::super::facts::{
    Column, Facts, Function, Key, KeyKind, Policy, Relation, RelationKind, Rewrite, Trigger, Volatility,
};
use super::super::file::written;
use super::super::tree::Tree;
use super::*;

/// Facts about a made-up database; the n-th thing has the number n.
#[derive(Default)]
struct Made {
    facts: Facts,
    next: Oid,
}

impl Made {
    fn new() -> Self {
        let facts = Facts { exposed: vec!["public".into()], ..Facts::default() };
        Self { facts, next: 1 }
    }

    fn number(&mut self) -> Oid {
        self.next += 1;
        self.next
    }

    fn relation(&mut self, name: &str, kind: RelationKind, columns: &[&str]) -> Oid {
        let (schema, name) = name.split_once('.').unwrap_or(("public", name));
        let column = |(number, name): (usize, &&str)| {
            let column =
                Column { name: (*name).into(), kind: "integer".into(), type_oid: 23, is_generated: false };
            (i16::try_from(number + 1).unwrap(), column)
        };
        let oid = self.number();
        self.facts.schemas.insert(schema.into());
        let relation = Relation {
            table: Table::new(schema, name),
            kind,
            columns: columns.iter().enumerate().map(column).collect(),
            is_partition: false,
            is_secured: false,
            is_forced: false,
            owner: 10,
            owner_sees_all: false,
            is_invoker: false,
            row_type: oid + 1_000,
            calls: Vec::new(),
        };
        self.facts.relations.insert(oid, relation);
        oid
    }

    fn table(&mut self, name: &str, columns: &[&str]) -> Oid {
        let oid = self.relation(name, RelationKind::Table, columns);
        self.key(oid, "pk", KeyKind::Primary, &[1]);
        oid
    }

    fn key(&mut self, table: Oid, name: &str, kind: KeyKind, columns: &[i16]) {
        self.facts.keys.push(Key { table, name: name.into(), kind, columns: columns.to_vec() });
    }

    fn refers(&mut self, table: Oid, name: &str, column: i16, to: Oid) {
        let kind = KeyKind::Foreign { to, references: vec![1], is_cascading: false, is_inherited: false };
        self.key(table, name, kind, &[column]);
    }

    /// A view that shows the first columns of another relation.
    fn view(&mut self, name: &str, columns: &[&str], of: Oid) -> Oid {
        let view = self.relation(name, RelationKind::View, columns);
        let entry = |number: usize| {
            format!("{{TARGETENTRY :expr {{VAR}} :resno {number} :resorigtbl {of} :resorigcol {number}}}")
        };
        let entries: Vec<String> = (1..=columns.len()).map(entry).collect();
        let tree = format!(
            "({{QUERY :rtable ({{RTE :relid {view}}} {{RTE :relid {of}}}) :targetList ({})}})",
            entries.join(" ")
        );
        self.facts.rewrites.push(Rewrite {
            relation: view,
            is_select: true,
            tree: Tree::parse(&tree),
            definition: String::new(),
        });
        view
    }

    fn function(&mut self, name: &str, language: &str, text: &str) -> &mut Function {
        let oid = self.number();
        let (schema, name) = name.split_once('.').unwrap_or(("public", name));
        self.facts.schemas.insert(schema.into());
        let function = Function {
            name: Table::new(schema, name),
            language: language.into(),
            volatility: Volatility::Volatile,
            is_definer: false,
            text: text.into(),
            tree: None,
            extension: None,
            returns: None,
            first_argument: None,
            takes_one: false,
            takes_any_row: false,
            parts: Vec::new(),
            is_handler: false,
            is_trigger: false,
            is_of_service: false,
        };
        self.facts.functions.entry(oid).or_insert(function)
    }

    fn policy(&mut self, relation: Oid, using: &str, tree: &str) {
        self.facts.relations.get_mut(&relation).unwrap().is_secured = true;
        self.facts.policies.push(Policy {
            relation,
            name: "p".into(),
            is_for_reads: true,
            is_permissive: true,
            roles: Vec::new(),
            tree: Tree::parse(tree),
            using: Some(using.into()),
        });
    }

    /// The lines of the file that speak of something.
    fn lines(&self, about: &str) -> Vec<String> {
        let text = written(&learned(&self.facts, &Fingerprint::default(), "now"));
        let lines = text.lines().filter(|line| line.contains(about) && !line.contains("kind:"));
        lines.map(|line| line.trim().to_owned()).collect()
    }
}

#[test]
fn a_table_joins_others_only_where_its_primary_key_holds_both_keys() {
    let mut made = Made::new();
    let (films, actors) = (made.table("films", &["id"]), made.table("actors", &["id"]));
    let roles = made.relation("roles", RelationKind::Table, &["film", "actor"]);
    made.key(roles, "pk", KeyKind::Primary, &[1, 2]);
    let reviews = made.table("reviews", &["id", "film", "actor"]);
    for (table, first) in [(roles, 1), (reviews, 2)] {
        made.refers(table, "of_film", first, films);
        made.refers(table, "of_actor", first + 1, actors);
    }
    assert_eq!(
        made.lines("junction"),
        ["- { to: public.films, junction: public.roles }", "- { to: public.actors, junction: public.roles }"]
    );
}

#[test]
fn a_function_called_like_a_table_stands_in_its_place() {
    let mut made = Made::new();
    let (films, people) = (made.table("films", &["id", "director"]), made.table("people", &["id"]));
    made.refers(films, "directed", 2, people);
    let (taken, given) = (made.facts.relations[&films].row_type, people);
    let function = made.function("people", "sql", "select * from people");
    (function.first_argument, function.returns, function.takes_one) = (Some(taken), Some(given), true);
    let ways = made.lines("to: public.people");
    assert_eq!(ways, ["- { to: public.people, call: public.people }"]);
}

#[test]
fn a_view_of_a_view_has_the_keys_of_the_table_below() {
    let mut made = Made::new();
    let (films, people) = (made.table("films", &["id", "director"]), made.table("people", &["id"]));
    made.refers(films, "directed", 2, people);
    let inner = made.view("hidden.inner", &["number", "who"], films);
    made.view("outer", &["number", "whose"], inner);
    let expected = "- { to: public.people, key: directed, columns: [whose], references: [id] }";
    assert!(made.lines("to: public.people").contains(&expected.to_owned()));
    assert_eq!(made.lines("public.outer: ["), ["public.outer: [hidden.inner]"]);
    assert_eq!(made.lines("hidden.inner: ["), ["hidden.inner: [public.films]"]);
}

#[test]
fn what_no_text_tells_is_unsure() {
    let mut made = Made::new();
    made.table("films", &["id"]);
    made.function("in_python", "plpython3u", "plpy.execute('…')");
    made.function("in_c", "c", "");
    made.function("of_an_extension", "c", "").extension = Some("pgcrypto".into());
    made.function("by_another", "plpgsql", "begin perform in_c(); end");
    made.function("of_nothing", "plpgsql", "begin insert into no_such_table values (1); end");
    made.function("stable_c", "c", "").volatility = Volatility::Stable;
    made.facts.system.insert("pg_class".into());
    made.function("of_the_server", "sql", "select relname from pg_class");
    for (name, expected) in [
        (
            "in_python",
            vec![
                "public.in_python: { reads: [] }",
                "public.in_python: \"public.in_python: is written in plpython3u\"",
            ],
        ),
        ("of_an_extension", vec!["public.of_an_extension: { reads: [], writes: [] }"]),
        (
            "by_another",
            vec!["public.by_another: { reads: [] }", "public.by_another: \"public.in_c: is written in c\""],
        ),
        (
            "stable_c",
            vec![
                "public.stable_c: { reads: [], writes: [] }",
                "public.stable_c: \"public.stable_c: is written in c\"",
            ],
        ),
        (
            "of_the_server",
            vec![
                "public.of_the_server: { reads: [], writes: [] }",
                "public.of_the_server: \"public.of_the_server: reads pg_class\"",
            ],
        ),
    ] {
        assert_eq!(made.lines(&format!("public.{name}:")), expected, "{name}");
    }
    let unsure = made.lines("public.of_nothing:");
    assert_eq!(unsure[0], "public.of_nothing: { reads: [] }", "{unsure:?}");
}

#[test]
fn a_function_is_believed_for_its_text_and_not_for_its_name() {
    let mut made = Made::new();
    let notes = made.table("notes", &["id"]);
    made.table("sessions", &["id"]);
    let function = made.next + 1;
    made.function("auth.uid", "sql", "select person from sessions").volatility = Volatility::Stable;
    made.policy(notes, "(person = auth.uid())", &format!("{{FUNCEXPR :funcid {function}}}"));
    assert_eq!(made.lines("public.notes: [public"), ["public.notes: [public.sessions]"]);
    assert_eq!(made.lines("policy: p"), ["- { policy: p, on: public.notes, claims: [sub] }"]);
}

#[test]
fn rights_of_its_own_hide_the_policies_behind_a_function() {
    let mut made = Made::new();
    let (notes, members) = (made.table("notes", &["id"]), made.table("members", &["id"]));
    made.policy(members, "(team = (auth.jwt() ->> 'team'::text))", "");
    let function = made.next + 1;
    made.function("teams", "sql", "select id from members").volatility = Volatility::Stable;
    made.policy(notes, "(team IN (SELECT teams()))", &format!("{{FUNCEXPR :funcid {function}}}"));
    assert_eq!(made.lines("on: public.notes"), ["- { policy: p, on: public.notes, claims: [team] }"]);
    made.facts.functions.get_mut(&function).unwrap().is_definer = true;
    assert_eq!(made.lines("on: public.notes"), ["- { policy: p, on: public.notes }"]);
}

#[test]
fn what_runs_before_every_request_is_told_or_unsure() {
    let mut made = Made::new();
    made.table("bans", &["id"]);
    made.facts.pre_request = Some("hidden.check_it".into());
    assert_eq!(made.lines("pre_request"), ["pre_request: hidden.check_it"]);
    assert_eq!(
        made.lines("hidden.check_it: "),
        ["hidden.check_it: \"it runs before every request, and is not there\""]
    );
    made.function("hidden.check_it", "plpgsql", "begin perform 1 from bans; end");
    assert_eq!(made.lines("hidden.check_it: "), ["hidden.check_it: { reads: [public.bans], writes: [] }"]);
}

#[test]
fn only_a_service_is_trusted_with_its_own_tables() {
    let mut made = Made::new();
    let users = made.table("auth.users", &["id"]);
    made.table("profiles", &["id"]);
    let function = made.next + 1;
    made.function("auth.copy", "plpgsql", "begin insert into profiles values (new.id); return new; end");
    made.facts.triggers.push(Trigger { relation: users, function, is_before_row: false });
    assert_eq!(made.lines("auth.users: ["), ["auth.users: [public.profiles]"]);
    made.facts.functions.get_mut(&function).unwrap().is_of_service = true;
    assert_eq!(made.lines("auth.users: ["), Vec::<String>::new());
}
