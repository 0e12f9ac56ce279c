//! What does the upstream hold? The tables of `tests/upstream/schema.sql` as the generator speaks of them,
//! and values for their columns, spelled in every way that PostgreSQL reads alike.

use crate::chance::Chance;
use crate::people::uuid_of;

/// What values a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The number of a property, or of anything that is numbered like them.
    Number,
    /// One of the four amenities.
    Amenity,
    /// Francs.
    Amount,
    /// A seeded person.
    Person,
    City,
    Status,
    /// Free text.
    Words,
    Json,
    Moment,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
}

const fn column(name: &'static str, kind: Kind) -> Column {
    Column { name, kind }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    /// Its path below `/rest/v1/`.
    pub(crate) path: &'static str,
    pub(crate) columns: &'static [Column],
    /// The column that tells whose row it is where clients keep to rows of their own.
    pub(crate) bound: Option<&'static str>,
    /// Parts of `select` that show other tables: declared ones, and some that no schema knows.
    pub(crate) embeds: &'static [&'static str],
    /// Arguments of a function, else empty.
    pub(crate) arguments: &'static [(&'static str, Kind)],
}

const PROPERTY: &[Column] = &[
    column("id", Kind::Number),
    column("title", Kind::Words),
    column("city", Kind::City),
    column("price", Kind::Amount),
    column("status", Kind::Status),
    column("owner_id", Kind::Person),
    column("details", Kind::Json),
    column("updated_at", Kind::Moment),
];

/// Properties come first and often: they have the most to get wrong.
pub(crate) const TABLES: &[Table] = &[
    Table {
        path: "properties",
        columns: PROPERTY,
        bound: Some("id"),
        embeds: &[
            "profiles(full_name,city)",
            "owner:profiles(id,full_name)",
            "profiles!owner_id(full_name)",
            "profiles!properties_owner_id_fkey(full_name)",
            "...profiles(full_name)",
            "amenities(label)",
            "amenities!inner(id,label)",
            "comfort:amenities(*)",
            "amenities()",
            "property_energy(meter)",
            "visit_bookings(slot,status)",
            "property_amenities(amenity_id,amenities(label))",
        ],
        arguments: &[],
    },
    Table {
        path: "profiles",
        columns: &[
            column("id", Kind::Person),
            column("full_name", Kind::Words),
            column("city", Kind::City),
            column("role", Kind::Words),
        ],
        bound: Some("id"),
        embeds: &[
            "properties(id,title,city)",
            "properties(count)",
            "properties!inner(id)",
            "homes:properties(id,amenities(label))",
            "visit_bookings(slot)",
            "notifications(title)",
        ],
        arguments: &[],
    },
    Table {
        path: "property_amenities",
        columns: &[column("property_id", Kind::Number), column("amenity_id", Kind::Amenity)],
        bound: Some("property_id"),
        embeds: &["amenities(label)", "properties(title,status)", "properties!inner(city)"],
        arguments: &[],
    },
    Table {
        path: "property_energy",
        columns: &[column("property_id", Kind::Number), column("meter", Kind::Words)],
        bound: Some("property_id"),
        embeds: &["properties(title)"],
        arguments: &[],
    },
    Table {
        path: "amenities",
        columns: &[column("id", Kind::Amenity), column("label", Kind::Words)],
        bound: None,
        embeds: &["properties(id,title)"],
        arguments: &[],
    },
    Table {
        path: "visit_bookings",
        columns: &[
            column("property_id", Kind::Number),
            column("visitor_id", Kind::Person),
            column("slot", Kind::Moment),
            column("status", Kind::Words),
        ],
        bound: Some("property_id"),
        embeds: &["properties(title,city)", "properties(profiles(full_name))", "profiles(full_name)"],
        arguments: &[],
    },
    Table {
        path: "notifications",
        columns: &[
            column("id", Kind::Number),
            column("user_id", Kind::Person),
            column("title", Kind::Words),
            column("read_at", Kind::Moment),
        ],
        bound: Some("id"),
        embeds: &["profiles(full_name,city)"],
        arguments: &[],
    },
    Table {
        path: "rental_payments",
        columns: &[
            column("id", Kind::Number),
            column("payer_id", Kind::Person),
            column("amount", Kind::Amount),
        ],
        bound: Some("id"),
        embeds: &["profiles(full_name)"],
        arguments: &[],
    },
    Table {
        path: "published_properties",
        columns: &[
            column("id", Kind::Number),
            column("title", Kind::Words),
            column("city", Kind::City),
            column("price", Kind::Amount),
        ],
        bound: Some("id"),
        embeds: &[],
        arguments: &[],
    },
    Table {
        path: "rpc/search_properties",
        columns: PROPERTY,
        bound: Some("id"),
        embeds: &[],
        arguments: &[("wanted_city", Kind::City), ("max_price", Kind::Amount)],
    },
    Table { path: "rpc/count_published", columns: &[], bound: None, embeds: &[], arguments: &[] },
];

const CITIES: &[&str] = &["Dakar", "Thiès", "Saint-Louis", "dakar", "a,b", "x\"y\\z", "(Da*", "", " Dakar"];
const CITIES_OFTEN: usize = 3;
const STATUSES: &[&str] = &["published", "rented", "draft"];
const WORDS: &[&str] = &["Villa n°4", "Studio n°1", "Chambre", "owner", "woyofal", "Wi-Fi", "null", "a.b:c"];
const MOMENTS: &[&str] = &["2020-01-20T09:00:00Z", "2020-02-10 10:00:00+01", "2031-05-01T00:00:00+00:00"];

/// So few numbers that reads and writes meet.
const BUSY_NUMBERS: i64 = 8;

/// Whose rows a client reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ground {
    /// Numbers of its rows.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// The person who owns all of them; none where everybody uses everything.
    pub(crate) owner: Option<i64>,
}

impl Ground {
    /// Everything that was seeded, and room for more.
    pub(crate) const COMMON: Self = Self { first: 1, last: 76, owner: None };

    /// A number of a row, mostly one of the few that everything happens to.
    pub(crate) fn number(self, chance: &mut Chance) -> i64 {
        let busy = self.last.min(self.first + BUSY_NUMBERS);
        let last = if chance.percent(70) { busy } else { self.last };
        chance.between(self.first, last)
    }

    /// The number of a row of this person, as the seed deals properties out.
    pub(crate) fn number_of(self, chance: &mut Chance, person: i64) -> i64 {
        let drawn = self.number(chance);
        match self.owner {
            Some(_) => drawn,
            None => drawn - drawn % 4 + (person - 1),
        }
    }

    pub(crate) fn person(self, chance: &mut Chance) -> i64 {
        self.owner.unwrap_or_else(|| chance.between(1, 3))
    }
}

/// A value of this kind, as a client may spell it in a filter.
pub(crate) fn value(chance: &mut Chance, kind: Kind, ground: Ground) -> String {
    match kind {
        Kind::Number => {
            let number = ground.number(chance);
            spelled_number(chance, number)
        }
        Kind::Amenity => {
            let number = chance.between(1, 4);
            spelled_number(chance, number)
        }
        Kind::Amount => (50_000 + 2_500 * chance.between(0, 30)).to_string(),
        Kind::Person => {
            let number = ground.person(chance);
            spelled_uuid(chance, number)
        }
        Kind::City => city(chance).to_owned(),
        Kind::Status => chance.pick(STATUSES).to_owned(),
        Kind::Words => chance.pick(WORDS).to_owned(),
        Kind::Json => format!("{{\"floor\":{}}}", chance.between(0, 4)),
        Kind::Moment => chance.pick(MOMENTS).to_owned(),
    }
}

pub(crate) fn city(chance: &mut Chance) -> &'static str {
    let known = if chance.percent(80) { CITIES_OFTEN } else { CITIES.len() };
    chance.pick(&CITIES[..known])
}

pub(crate) fn status(chance: &mut Chance) -> &'static str {
    chance.pick(&STATUSES[..2])
}

pub(crate) fn words(chance: &mut Chance) -> &'static str {
    chance.pick(WORDS)
}

/// A number, now and then as only PostgreSQL would read it.
pub(crate) fn spelled_number(chance: &mut Chance, number: i64) -> String {
    match chance.index(30) {
        0 => format!("0{number}"),
        1 => format!(" {number}"),
        2 => format!("+{number}"),
        3 => format!("{number} "),
        4 => format!("{number:#x}"),
        _ => number.to_string(),
    }
}

/// A UUID, now and then as only PostgreSQL would read it.
pub(crate) fn spelled_uuid(chance: &mut Chance, number: i64) -> String {
    let uuid = uuid_of(number);
    match chance.index(20) {
        0 => uuid.to_uppercase(),
        1 => uuid.replace('-', ""),
        2 => format!("{{{uuid}}}"),
        _ => uuid,
    }
}
