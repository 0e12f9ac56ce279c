//! Reads, drawn from PostgREST's grammar.

use http::Method;

use crate::chance::Chance;
use crate::filters;
use crate::people::{Person, uuid_of};
use crate::spelling;
use crate::tables::{Column, Ground, Kind, TABLES, Table, value};
use crate::wire::Request;

/// A read before it is spelled: the same question can be asked again in other words.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    method: Method,
    path: &'static str,
    parameters: Vec<(String, String)>,
    headers: Vec<(&'static str, String)>,
    who: Person,
}

impl Read {
    /// As it was drawn.
    pub(crate) fn spelled(&self, chance: &mut Chance) -> Request {
        self.request(chance, &self.parameters)
    }

    /// The same question in other words.
    pub(crate) fn respelled(&self, chance: &mut Chance) -> Request {
        let parameters = spelling::shuffled(chance, &self.parameters);
        self.request(chance, &parameters)
    }

    fn request(&self, chance: &mut Chance, parameters: &[(String, String)]) -> Request {
        let path = spelling::path(chance, self.path);
        Request {
            method: self.method.clone(),
            target: format!("/rest/v1/{path}{}", spelling::query(chance, parameters)),
            headers: self.headers.clone(),
            body: None,
            who: self.who.clone(),
        }
    }
}

/// A read of anything, by somebody.
pub(crate) fn open(chance: &mut Chance, ground: Ground, who: &Person) -> Read {
    let table = if chance.percent(40) { TABLES[0] } else { chance.pick(TABLES) };
    read(chance, table, ground, who)
}

/// A read that shows nothing but the rows of this ground.
pub(crate) fn bounded(chance: &mut Chance, ground: Ground, who: &Person) -> Read {
    let bounded: Vec<Table> = TABLES.iter().filter(|table| table.bound.is_some()).copied().collect();
    let table = if chance.percent(40) { bounded[0] } else { chance.pick(&bounded) };
    let mut read = read(chance, table, ground, who);
    let bound = table.bound.expect("a table with bounds");
    let kind = table.columns.iter().find(|column| column.name == bound).expect("a column of its own").kind;
    let bounds = if kind == Kind::Person {
        let owner = ground.owner.expect("a ground with an owner");
        format!("({bound}.eq.{})", uuid_of(owner))
    } else {
        format!("({bound}.gte.{},{bound}.lte.{})", ground.first, ground.last)
    };
    read.parameters.push(("and".to_owned(), bounds));
    read
}

fn read(chance: &mut Chance, table: Table, ground: Ground, who: &Person) -> Read {
    let mut parameters = Vec::new();
    for (name, kind) in table.arguments {
        if *kind == Kind::City || chance.percent(50) {
            parameters.push(((*name).to_owned(), value(chance, *kind, ground)));
        }
    }
    let embeds = select(chance, table, &mut parameters);
    if !table.columns.is_empty() {
        restrict(chance, table, ground, &mut parameters);
        window(chance, table.columns, &mut parameters);
    }
    for embed in embeds {
        inside(chance, embed, ground, &mut parameters);
    }
    if chance.percent(70) {
        chance.shuffle(&mut parameters);
    }
    Read {
        method: if chance.percent(4) { Method::HEAD } else { Method::GET },
        path: table.path,
        parameters,
        headers: headers(chance),
        who: who.clone(),
    }
}

/// Draws `select`, mostly; returns the embeds in it.
fn select(chance: &mut Chance, table: Table, parameters: &mut Vec<(String, String)>) -> Vec<&'static str> {
    if table.columns.is_empty() || chance.percent(20) {
        return Vec::new();
    }
    let mut items: Vec<String> = Vec::new();
    if chance.percent(25) {
        items.push("*".to_owned());
    }
    for _ in 0..chance.between(1, 3) {
        let column = chance.pick(table.columns);
        items.push(match chance.index(8) {
            0 => format!("shown:{}", column.name),
            1 if column.kind != Kind::Json => format!("{}::text", column.name),
            2 if column.kind == Kind::Json => format!("{}->floor", column.name),
            3 if column.kind == Kind::Json => format!("note:{}->>note", column.name),
            _ => column.name.to_owned(),
        });
    }
    items.dedup();
    let mut embeds = Vec::new();
    if !table.embeds.is_empty() && chance.percent(40) {
        embeds.push(chance.pick(table.embeds));
        if chance.percent(15) {
            embeds.push(chance.pick(table.embeds));
        }
        items.extend(embeds.iter().map(|embed| (*embed).to_owned()));
    }
    chance.shuffle(&mut items);
    parameters.push(("select".to_owned(), items.join(",")));
    if chance.percent(2) {
        parameters.push(("select".to_owned(), "*".to_owned()));
    }
    embeds
}

/// Draws filters: what rows are shown.
fn restrict(chance: &mut Chance, table: Table, ground: Ground, parameters: &mut Vec<(String, String)>) {
    if chance.percent(55) {
        parameters.extend(filters::pinning(chance, table.columns, ground));
    }
    for _ in 0..chance.pick(&[0, 0, 1, 1, 2]) {
        parameters.push(filters::parameter(chance, table.columns, ground));
    }
    if chance.percent(15) {
        parameters.push(filters::tree(chance, table.columns, ground));
    }
    if chance.percent(1) {
        parameters.push(("_".to_owned(), chance.between(1, 9).to_string())); // a cache-buster: an error upstream
    }
}

/// Draws `order`, `limit` and `offset`.
fn window(chance: &mut Chance, columns: &[Column], parameters: &mut Vec<(String, String)>) {
    if chance.percent(40) {
        let first = chance.pick(columns).name;
        let second = chance.pick(columns).name;
        let direction = chance.pick(&["", ".asc", ".desc", ".desc.nullslast", ".nullsfirst"]);
        parameters.push(("order".to_owned(), format!("{first}{direction},{second}.desc")));
    }
    if chance.percent(25) {
        parameters.push(("limit".to_owned(), chance.between(0, 12).to_string()));
        if chance.percent(10) {
            parameters.push(("limit".to_owned(), chance.between(1, 5).to_string()));
        }
    }
    if chance.percent(12) {
        parameters.push(("offset".to_owned(), chance.between(0, 5).to_string()));
    }
}

/// Draws filters, order and limit of an embed.
fn inside(chance: &mut Chance, embed: &str, ground: Ground, parameters: &mut Vec<(String, String)>) {
    let name = embed.split(['(', '!']).next().expect("a name");
    let name = name.split(':').next().expect("an alias or a name").trim_start_matches("...");
    if chance.percent(20) {
        parameters.push((format!("{name}.order"), "id.desc".to_owned()));
    }
    if chance.percent(20) {
        parameters.push((format!("{name}.limit"), chance.between(1, 3).to_string()));
    }
    if chance.percent(20) {
        let number = value(chance, Kind::Number, ground);
        parameters.push((format!("{name}.id"), format!("{}.{number}", chance.pick(&["eq", "lt", "gte"]))));
    }
}

/// Draws headers: what form the answer has.
fn headers(chance: &mut Chance) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    if chance.percent(20) {
        let accept = chance.pick(&[
            "application/json",
            "*/*",
            "text/csv",
            "application/vnd.pgrst.object+json",
            "application/vnd.pgrst.array+json;nulls=stripped",
            "text/html, application/json;q=0.5",
            "text/csv;q=0.1, application/json",
            "image/png",
        ]);
        headers.push(("accept", accept.to_owned()));
    }
    if chance.percent(25) {
        let prefer = chance.pick(&[
            "count=exact",
            "count=exact",
            "count=exact, handling=strict",
            "handling=lenient,count=exact",
            "timezone=Africa/Dakar",
            "handling=strict, something=else",
            "return=representation",
            "count=EXACT",
        ]);
        headers.push(("prefer", prefer.to_owned()));
    }
    if chance.percent(10) {
        headers.push(("range", chance.pick(&["0-4", "2-", "5-9", "bytes=0-9", "9-3"]).to_owned()));
    }
    if chance.percent(8) {
        headers.push(("accept-profile", chance.pick(&["public", "public", "storage"]).to_owned()));
    }
    headers
}
