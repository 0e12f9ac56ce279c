//! One case: a small schema, a read, and writes that must take its answer away or leave it.
//!
//! Cases are SQL with directives in comments:
//!
//! - `case:` begins one. It lives in a schema of its own, which `$schema` stands for.
//! - `as:` the number of the person who asks; without it nobody is signed in.
//! - `read:` a path below `/rest/v1`.
//! - `keeps:` a write after which the read is still a hit.
//! - `stale:` a write after which it is not, and another answer comes.
//! - `unsure:` a section and a name that must be marked there.
//! - `says:` a line that schema.yaml must have.
//!
//! A write is a method, a path and a body. `POST+merge` replaces rows that are there, `public` before
//! the path names another schema, and a path that begins with `!` is taken as it is.

use http::Method;

use crate::people::{Mint, Person};
use crate::wire::Request;

#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) schema: String,
    pub(crate) sql: String,
    pub(crate) person: Option<i64>,
    pub(crate) read: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) unsure: Vec<(String, String)>,
    pub(crate) says: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) is_stale: bool,
    written: String,
}

/// Every case of a file.
pub(crate) fn cases(file: &str, text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let directive = line.strip_prefix("-- ").and_then(|line| line.split_once(": "));
        if let Some(("case", title)) = directive {
            let schema = format!("{file}_{}", cases.len() + 1);
            cases.push(Case {
                title: format!("{file}: {title}"),
                schema,
                sql: String::new(),
                person: None,
                read: String::new(),
                steps: Vec::new(),
                unsure: Vec::new(),
                says: Vec::new(),
            });
            continue;
        }
        let Some(case) = cases.last_mut() else { continue };
        let own = |text: &str| text.replace("$schema", &case.schema);
        match directive {
            Some(("as", number)) => case.person = Some(number.parse().expect("a number of a person")),
            Some(("read", target)) => case.read = target.to_owned(),
            Some((word @ ("keeps" | "stale"), written)) => {
                case.steps.push(Step { is_stale: word == "stale", written: written.to_owned() });
            }
            Some(("unsure", what)) => {
                let (part, name) = what.split_once(' ').expect("a section and a name");
                let name = format!("{}.{name}", case.schema);
                case.unsure.push((part.to_owned(), name));
            }
            Some(("says", line)) => case.says.push(own(line)),
            Some(_) | None => case.sql = format!("{}{}\n", case.sql, own(line)),
        }
    }
    cases
}

impl Case {
    /// The schema with everything in it, for whoever asks. The upstream does not put the schema of a request
    /// into the search path, as PostgREST does; so functions bring one along.
    pub(crate) fn script(&self) -> String {
        let Self { schema, sql, .. } = self;
        format!(
            "create schema {schema};\nset search_path = {schema}, public, extensions;\n{sql}\n\
             grant usage on schema {schema} to anon, authenticated;\n\
             grant all on all tables in schema {schema} to anon, authenticated;\n\
             grant all on all sequences in schema {schema} to anon, authenticated;\n\
             grant execute on all functions in schema {schema} to anon, authenticated;\n\
             do $$ declare f text; begin for f in select oid::regprocedure from pg_proc\n\
             where pronamespace = '{schema}'::regnamespace and prokind = 'f' loop\n\
             execute 'alter function ' || f || ' set search_path = {schema}, public, extensions'; end loop; end $$;\n"
        )
    }

    pub(crate) fn reads(&self, mint: &Mint) -> Request {
        self.request(Method::GET, &self.read, None, mint)
    }

    pub(crate) fn writes(&self, step: &Step, mint: &Mint) -> Request {
        let (method, rest) = step.written.split_once(' ').expect("a method and more");
        let (target, body) = match rest.split_once(" {") {
            Some((target, body)) => (target, Some(format!("{{{body}"))),
            None => (rest, None),
        };
        let (method, resolution) = method.split_once('+').unwrap_or((method, ""));
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.request(method, target, body, mint);
        if resolution == "merge" {
            request.headers.push(("prefer", "resolution=merge-duplicates".to_owned()));
        }
        request
    }

    fn request(&self, method: Method, target: &str, body: Option<String>, mint: &Mint) -> Request {
        let (schema, target) = match target.strip_prefix("public ") {
            Some(target) => ("public", target),
            None => (self.schema.as_str(), target),
        };
        let who = self.person.map_or_else(Person::anon, |number| mint.person(number));
        if let Some(target) = target.strip_prefix('!') {
            let headers = vec![("content-type", "application/json".to_owned())];
            return Request { method, target: target.to_owned(), headers, body, who };
        }
        let profile = if method == Method::GET { "accept-profile" } else { "content-profile" };
        let mut headers = vec![(profile, schema.to_owned())];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        Request { method, target: format!("/rest/v1{target}"), headers, body, who }
    }
}
