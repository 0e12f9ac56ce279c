//! Writes, drawn from PostgREST's grammar: by those who may, and by those who may not.

use http::Method;
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::filters;
use crate::people::{Person, uuid_of};
use crate::spelling;
use crate::tables::{self, Ground, Kind, TABLES, spelled_number, value};
use crate::wire::Request;

/// A write being put together.
#[derive(Debug)]
struct Draft {
    method: Method,
    path: &'static str,
    parameters: Vec<(String, String)>,
    prefer: Vec<&'static str>,
    content_type: &'static str,
    body: Option<String>,
}

impl Draft {
    fn new(method: Method, path: &'static str) -> Self {
        let content_type = "application/json";
        Self { method, path, parameters: Vec::new(), prefer: Vec::new(), content_type, body: None }
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parameters.push((name.to_owned(), value.into()));
        self
    }

    fn json(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string());
        self
    }
}

/// A write on this ground by this person, sent as `who`.
pub(crate) fn write(chance: &mut Chance, ground: Ground, person: i64, who: &Person) -> Request {
    let mut draft = match chance.index(20) {
        0..=4 => change_properties(chance, ground, person),
        5 | 6 => add_properties(chance, ground, person),
        7 | 8 => upsert_properties(chance, ground, person),
        9 => remove_properties(chance, ground, person),
        10 | 11 => comfort(chance, ground, person),
        12 | 13 => visit(chance, ground, person),
        14 | 15 => notify(chance, ground, person),
        16 => pay(chance, ground, person),
        17 => Draft::new(Method::PATCH, "profiles")
            .with("id", format!("eq.{}", tables::spelled_uuid(chance, person)))
            .json(&json!({ "city": tables::city(chance), "full_name": tables::words(chance) })),
        18 => replace_property(chance, ground, person),
        _ => call(chance, ground),
    };
    if chance.percent(45) {
        draft.prefer.push("return=representation");
        if !draft.path.starts_with("rpc") && chance.percent(40) {
            draft = draft.with("select", chance.pick(&["*", "*", "id"]));
        }
    } else if chance.percent(40) {
        draft.prefer.push(chance.pick(&["return=minimal", "return=headers-only"]));
    }
    if chance.percent(5) {
        draft.prefer.push("tx=rollback");
    }
    finish(chance, draft, who)
}

/// The rows that a client with a ground of its own begins with.
pub(crate) fn first_rows(ground: Ground, who: &Person) -> Request {
    let owner = ground.owner.expect("a ground with an owner");
    let rows: Vec<Value> = (ground.first..ground.last - 3)
        .map(|id| {
            json!({ "id": id, "title": "Villa n°4", "city": "Dakar", "price": 50_000 + id,
                    "status": "published", "owner_id": uuid_of(owner) })
        })
        .collect();
    let draft = Draft::new(Method::POST, "properties").json(&rows.into());
    finish(&mut Chance::new(0), draft, who)
}

fn finish(chance: &mut Chance, draft: Draft, who: &Person) -> Request {
    let path = spelling::path(chance, draft.path);
    let mut headers = Vec::new();
    if draft.body.is_some() {
        headers.push(("content-type", draft.content_type.to_owned()));
    }
    if !draft.prefer.is_empty() {
        headers.push(("prefer", draft.prefer.join(",")));
    }
    Request {
        method: draft.method,
        target: format!("/rest/v1/{path}{}", spelling::query(chance, &draft.parameters)),
        headers,
        body: draft.body,
        who: who.clone(),
    }
}

fn property(chance: &mut Chance, ground: Ground, person: i64) -> Value {
    let number = ground.number_of(chance, person);
    let id = if chance.percent(85) { json!(number) } else { json!(spelled_number(chance, number)) };
    json!({
        "id": id,
        "title": tables::words(chance),
        "city": tables::city(chance),
        "price": 50_000 + 2_500 * chance.between(0, 30),
        "status": tables::status(chance),
        "owner_id": uuid_of(person),
        "details": { "floor": chance.between(0, 4), "note": null },
    })
}

/// Some columns of a property with new values.
fn assignments(chance: &mut Chance, ground: Ground, person: i64) -> Value {
    let whole = property(chance, ground, person);
    let mut some = json!({});
    for name in ["title", "city", "price", "status", "details"] {
        if chance.percent(35) {
            some[name] = whole[name].clone();
        }
    }
    if chance.percent(8) {
        some["id"] = whole["id"].clone();
    }
    if some.as_object().is_some_and(serde_json::Map::is_empty) {
        some["price"] = whole["price"].clone();
    }
    some
}

/// Filters that choose what is changed or removed.
fn chosen(chance: &mut Chance, ground: Ground, person: i64) -> Vec<(String, String)> {
    let number = ground.number_of(chance, person);
    let one = spelled_number(chance, number);
    match chance.index(12) {
        0 => vec![("city".to_owned(), format!("eq.{}", tables::city(chance)))],
        1 => vec![("status".to_owned(), "eq.rented".to_owned())],
        2 => vec![("price".to_owned(), format!("gt.{}", value(chance, Kind::Amount, ground)))],
        3 => vec![filters::tree(chance, TABLES[0].columns, ground)],
        4 => vec![filters::parameter(chance, TABLES[0].columns, ground)],
        5 => vec![
            ("id".to_owned(), format!("eq.{one}")),
            ("city".to_owned(), format!("eq.{}", tables::city(chance))),
        ],
        6 | 7 => {
            let other = ground.number_of(chance, person);
            vec![("id".to_owned(), format!("in.({one},\"{other}\")"))]
        }
        _ => vec![("id".to_owned(), format!("eq.{one}"))],
    }
}

fn change_properties(chance: &mut Chance, ground: Ground, person: i64) -> Draft {
    let mut draft = Draft::new(Method::PATCH, "properties");
    draft.parameters = chosen(chance, ground, person);
    let assigned = assignments(chance, ground, person);
    if chance.percent(8) {
        draft = draft.with("columns", "price,title");
    }
    draft.json(&assigned)
}

fn add_properties(chance: &mut Chance, ground: Ground, person: i64) -> Draft {
    let mut draft = Draft::new(Method::POST, "properties");
    match chance.index(8) {
        0 => {
            let number = ground.number_of(chance, person);
            draft.content_type = "text/csv";
            draft.body = Some(format!(
                "id,title,city,price,status,owner_id\n{number},\"a,b\",Dakar,5,published,{}\n",
                uuid_of(person)
            ));
            draft
        }
        1 => {
            // the last of two keys counts
            let (first, last) = (ground.number_of(chance, person), ground.number_of(chance, person));
            draft.body = Some(format!(
                r#"{{"id":{first},"id":{last},"title":"t","city":"Dakar","price":1,"status":"published","owner_id":"{}"}}"#,
                uuid_of(person)
            ));
            draft
        }
        2 => draft.with("columns", "id,title,city,price,owner_id").json(&property(chance, ground, person)),
        3 | 4 => {
            let rows: Vec<Value> =
                (0..chance.between(1, 3)).map(|_| property(chance, ground, person)).collect();
            draft.json(&rows.into())
        }
        _ => draft.json(&property(chance, ground, person)),
    }
}

fn upsert_properties(chance: &mut Chance, ground: Ground, person: i64) -> Draft {
    let mut draft = Draft::new(Method::POST, "properties");
    draft.prefer.push(chance.pick(&[
        "resolution=merge-duplicates",
        "resolution=merge-duplicates",
        "resolution=ignore-duplicates",
    ]));
    if chance.percent(50) {
        draft = draft.with("on_conflict", "id");
    }
    if chance.percent(50) {
        return draft.json(&property(chance, ground, person));
    }
    let rows: Vec<Value> = (0..chance.between(1, 3)).map(|_| property(chance, ground, person)).collect();
    draft.json(&rows.into())
}

fn replace_property(chance: &mut Chance, ground: Ground, person: i64) -> Draft {
    let mut row = property(chance, ground, person);
    let number = ground.number_of(chance, person);
    row["id"] = number.into();
    Draft::new(Method::PUT, "properties").with("id", format!("eq.{number}")).json(&row)
}

fn remove_properties(chance: &mut Chance, ground: Ground, person: i64) -> Draft {
    let number = ground.number_of(chance, person);
    let one = spelled_number(chance, number);
    let other = ground.number_of(chance, person);
    let which = if chance.percent(70) { format!("eq.{one}") } else { format!("in.({one},{other})") };
    Draft::new(Method::DELETE, "properties").with("id", which)
}

fn comfort(chance: &mut Chance, ground: Ground, person: i64) -> Draft {
    let number = ground.number_of(chance, person);
    let amenity = chance.between(1, 4);
    let row = json!({ "property_id": number, "amenity_id": amenity });
    match chance.index(4) {
        0 => Draft::new(Method::DELETE, "property_amenities").with("property_id", format!("eq.{number}")),
        1 => Draft::new(Method::DELETE, "property_amenities")
            .with("property_id", format!("eq.{number}"))
            .with("amenity_id", format!("eq.{amenity}")),
        2 => {
            let mut draft = Draft::new(Method::POST, "property_amenities").json(&row);
            draft.prefer.push("resolution=ignore-duplicates");
            draft
        }
        _ => Draft::new(Method::POST, "property_amenities").json(&row),
    }
}

fn visit(chance: &mut Chance, ground: Ground, person: i64) -> Draft {
    let number = ground.number_of(chance, person);
    let slot = format!("2031-05-{:02}T{:02}:00:00Z", chance.between(1, 28), chance.between(8, 18));
    if chance.percent(40) {
        return Draft::new(Method::POST, "rpc/book_visit").json(&json!({ "property": number, "at": slot }));
    }
    let row = json!({ "property_id": number, "visitor_id": uuid_of(person), "slot": slot });
    Draft::new(Method::POST, "visit_bookings").json(&row)
}

fn notify(chance: &mut Chance, ground: Ground, person: i64) -> Draft {
    let number = ground.number_of(chance, person);
    if chance.percent(50) {
        let row = json!({ "id": number, "user_id": uuid_of(person), "title": tables::words(chance) });
        return Draft::new(Method::POST, "notifications").json(&row);
    }
    let by_person = chance.percent(50);
    let draft = Draft::new(Method::PATCH, "notifications");
    let draft = if by_person {
        draft.with("user_id", format!("eq.{}", tables::spelled_uuid(chance, person)))
    } else {
        draft.with("id", format!("eq.{number}"))
    };
    draft.json(&json!({ "title": tables::words(chance), "read_at": "2031-01-01T00:00:00Z" }))
}

fn pay(chance: &mut Chance, ground: Ground, person: i64) -> Draft {
    let number = ground.number_of(chance, person);
    let row = json!({ "id": number, "payer_id": uuid_of(person), "amount": chance.between(1, 9) * 1_000 });
    Draft::new(Method::POST, "rental_payments").json(&row)
}

/// A call that changes nothing, by the method of those that do.
fn call(chance: &mut Chance, ground: Ground) -> Draft {
    if chance.percent(50) {
        return Draft::new(Method::POST, "rpc/count_published").json(&json!({}));
    }
    let wanted = value(chance, Kind::City, ground);
    Draft::new(Method::POST, "rpc/search_properties").json(&json!({ "wanted_city": wanted }))
}
