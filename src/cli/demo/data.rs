//! What is in the demo's database? The tables of a rental platform in Senegal, made up on the spot.
//!
//! A few hundred rows, the same every time. Ids are small numbers instead of
//! uuids, so that a person can type them into a curl line.

use serde_json::{Value, json};

use super::chance::Chance;
use super::moment::{date_of, timestamp_of};
use super::table::Default::{Now, Null, Number, Required, Text as Always};
use super::table::Kind::{Date, Integer, Json, Text, Timestamp};
use super::table::{Column, Default, Row, Table};

/// So many rows are made of each.
const PROFILES: u32 = 40;
const OWNERS: u32 = 12;
pub(super) const PROPERTIES: u32 = 300;
const LEASES: u32 = 30;
const PAYMENTS_PER_LEASE: u32 = 3;
const VISITS: u32 = 60;
const NOTIFICATIONS: u32 = 120;

/// 1 January 2025.
const EPOCH: u64 = 1_735_689_600;
const HOUR_SECONDS: u64 = 3600;

/// Cities with their districts, the busiest first.
pub(super) const CITIES: [(&str, &[&str]); 7] = [
    ("Dakar", &["Almadies", "Plateau", "Mermoz", "Ouakam", "Yoff", "Sacré-Cœur", "Médina"]),
    ("Thiès", &["Grand Standing", "Randoulène", "Cité Lamy"]),
    ("Saint-Louis", &["Sor", "Île Nord", "Langue de Barbarie"]),
    ("Mbour", &["Saly", "Tefess", "Oncad"]),
    ("Ziguinchor", &["Boucotte", "Escale"]),
    ("Kaolack", &["Médina Baye", "Léona"]),
    ("Rufisque", &["Keury Souf", "Bargny"]),
];

const FIRST_NAMES: [&str; 10] =
    ["Awa", "Moussa", "Fatou", "Ibrahima", "Aminata", "Cheikh", "Mariama", "Ousmane", "Khady", "Ndèye"];
const LAST_NAMES: [&str; 9] = ["Diop", "Ndiaye", "Fall", "Sow", "Gueye", "Faye", "Sarr", "Diallo", "Cissé"];

/// Code, label.
const AMENITIES: [(&str, &str); 10] = [
    ("wifi", "Wi-Fi"),
    ("parking", "Parking"),
    ("pool", "Piscine"),
    ("generator", "Groupe électrogène"),
    ("guard", "Gardiennage"),
    ("ac", "Climatisation"),
    ("water_tank", "Réservoir d'eau"),
    ("furnished", "Meublé"),
    ("sea_view", "Vue sur mer"),
    ("elevator", "Ascenseur"),
];

/// Type, label, usual rent.
const TYPES: [(&str, &str, u32); 6] = [
    ("apartment", "Appartement", 250_000),
    ("villa", "Villa", 900_000),
    ("studio", "Studio", 120_000),
    ("room", "Chambre", 50_000),
    ("office", "Bureau", 400_000),
    ("land", "Terrain", 150_000),
];

const ID: Column = Column("id", Integer, Default::NextId);

/// Every table with its rows.
pub(super) fn tables() -> Vec<Table> {
    // Any seed will do; another one would only be another town.
    let mut chance = Chance::new(20_240_607);
    let properties = properties(&mut chance);
    let leases = leases(&mut chance, &properties);
    vec![
        table("profiles", PROFILE_COLUMNS, profiles(&mut chance)),
        table("amenities", AMENITY_COLUMNS, amenities()),
        Table { key: &[0, 1], ..table("property_amenities", LINK_COLUMNS, property_amenities(&mut chance)) },
        table("rental_payments", PAYMENT_COLUMNS, payments(&mut chance, &leases)),
        table("visit_bookings", VISIT_COLUMNS, visits(&mut chance, &properties)),
        table("notifications", NOTIFICATION_COLUMNS, notifications(&mut chance)),
        table("leases", LEASE_COLUMNS, leases),
        table("properties", PROPERTY_COLUMNS, properties),
    ]
}

fn table(name: &'static str, columns: &'static [Column], rows: Vec<Row>) -> Table {
    Table { name, columns: columns.to_vec(), key: &[0], rows }
}

/// A view: the rows of a table that pass a filter, without some columns.
#[derive(Debug)]
pub(super) struct View {
    pub(super) name: &'static str,
    pub(super) table: &'static str,
    pub(super) filter: &'static str,
    pub(super) columns: &'static [&'static str],
}

/// The view of this name.
pub(super) fn view(name: &str) -> Option<View> {
    const PUBLISHED: &str = "published_properties";
    (name == PUBLISHED).then_some(View {
        name: PUBLISHED,
        table: "properties",
        filter: "status=eq.published",
        columns: &["id", "title", "city", "type", "price", "owner_id", "updated_at"],
    })
}

fn day(number: u32) -> u64 {
    EPOCH + u64::from(number) * 24 * HOUR_SECONDS
}

fn hour(day_number: u32, hour: u32) -> Value {
    json!(timestamp_of(day(day_number) + u64::from(hour) * HOUR_SECONDS))
}

const PROFILE_COLUMNS: &[Column] = &[
    ID,
    Column("full_name", Text, Required),
    Column("phone", Text, Null),
    Column("role", Text, Always("tenant")),
    Column("city", Text, Null),
    Column("created_at", Timestamp, Now),
];

fn profiles(chance: &mut Chance) -> Vec<Row> {
    let mut profile = |id: u32| {
        let name = format!("{} {}", chance.pick(&FIRST_NAMES), chance.pick(&LAST_NAMES));
        let phone = format!("+22177{}", chance.between(1_000_000, 9_999_999));
        let role = if id <= OWNERS { "owner" } else { "tenant" };
        let (city, _) = chance.pick(&CITIES);
        vec![json!(id), json!(name), json!(phone), json!(role), json!(city), hour(id, 9)]
    };
    (1..=PROFILES).map(&mut profile).collect()
}

const AMENITY_COLUMNS: &[Column] = &[ID, Column("code", Text, Required), Column("label", Text, Required)];

fn amenities() -> Vec<Row> {
    let rows = (1..).zip(AMENITIES);
    rows.map(|(id, (code, label)): (u32, _)| vec![json!(id), json!(code), json!(label)]).collect()
}

const PROPERTY_COLUMNS: &[Column] = &[
    ID,
    Column("title", Text, Required),
    Column("description", Text, Null),
    Column("city", Text, Required),
    Column("district", Text, Null),
    Column("type", Text, Required),
    Column("price", Integer, Required),
    Column("bedrooms", Integer, Number(0)),
    Column("surface_m2", Integer, Null),
    Column("status", Text, Always("draft")),
    Column("owner_id", Integer, Required),
    Column("details", Json, Null),
    Column("created_at", Timestamp, Now),
    Column("updated_at", Timestamp, Now),
];
const PRICE: usize = 6;
const OWNER_ID: usize = 10;

fn properties(chance: &mut Chance) -> Vec<Row> {
    (1..=PROPERTIES).map(|id| property(id, chance)).collect()
}

fn property(id: u32, chance: &mut Chance) -> Row {
    let (city, districts) = if id % 2 == 1 { &CITIES[0] } else { chance.pick(&CITIES) };
    let district = chance.pick(districts);
    let (kind, label, rent) = chance.pick(&TYPES);
    let price = rent * chance.between(60, 180) / 100 / 5000 * 5000;
    let status = match id {
        id if id % 10 == 0 => "draft",
        id if id % 17 == 0 => "rented",
        _ => "published",
    };
    vec![
        json!(id),
        json!(format!("{label} {district}, {city} n°{id}")),
        json!(format!("{label} à louer à {district}. Contact direct, visite possible.")),
        json!(city),
        json!(district),
        json!(kind),
        json!(price),
        json!(chance.between(0, 6)),
        json!(chance.between(12, 400)),
        json!(status),
        json!(chance.between(1, OWNERS + 1)),
        json!({ "floor": chance.between(0, 8), "furnished": chance.percent(40) }),
        hour(id % 200, 9),
        hour(id % 200, 12),
    ]
}

const LINK_COLUMNS: &[Column] =
    &[Column("property_id", Integer, Required), Column("amenity_id", Integer, Required)];

fn property_amenities(chance: &mut Chance) -> Vec<Row> {
    let amenities = 1..=u32::try_from(AMENITIES.len()).unwrap_or_default();
    let pairs = (1..=PROPERTIES).flat_map(|id| amenities.clone().map(move |amenity| (id, amenity)));
    let kept = pairs.filter(|_| chance.percent(15));
    kept.map(|(property, amenity)| vec![json!(property), json!(amenity)]).collect()
}

const LEASE_COLUMNS: &[Column] = &[
    ID,
    Column("property_id", Integer, Required),
    Column("tenant_id", Integer, Required),
    Column("landlord_id", Integer, Required),
    Column("start_date", Date, Required),
    Column("end_date", Date, Null),
    Column("monthly_rent", Integer, Required),
    Column("deposit", Integer, Number(0)),
    Column("status", Text, Always("active")),
    Column("created_at", Timestamp, Now),
];
const TENANT_ID: usize = 2;
const LANDLORD_ID: usize = 3;
const MONTHLY_RENT: usize = 6;

fn leases(chance: &mut Chance, properties: &[Row]) -> Vec<Row> {
    let mut lease = |id: u32| {
        let home = &properties[id as usize * 9 % properties.len()];
        let tenant = chance.between(OWNERS + 1, PROFILES + 1);
        let rent = home[PRICE].as_u64().unwrap_or_default();
        let start = json!(date_of(day(id * 5)));
        let (landlord, deposit) = (home[OWNER_ID].clone(), json!(rent * 2));
        let signed = hour(id * 5, 9);
        let property = home[0].clone();
        vec![
            json!(id),
            property,
            json!(tenant),
            landlord,
            start,
            Value::Null,
            json!(rent),
            deposit,
            json!("active"),
            signed,
        ]
    };
    (1..=LEASES).map(&mut lease).collect()
}

const PAYMENT_COLUMNS: &[Column] = &[
    ID,
    Column("lease_id", Integer, Required),
    Column("payer_id", Integer, Required),
    Column("payee_id", Integer, Required),
    Column("amount", Integer, Required),
    Column("method", Text, Always("wave")),
    Column("due_date", Date, Required),
    Column("paid_at", Timestamp, Null),
    Column("status", Text, Always("due")),
];

fn payments(chance: &mut Chance, leases: &[Row]) -> Vec<Row> {
    let months = leases.iter().flat_map(|lease| (0..PAYMENTS_PER_LEASE).map(move |month| (lease, month)));
    let mut payment = |(id, (lease, month)): (u32, (&Row, u32))| {
        let paid = chance.percent(80);
        let due = id + month * 30;
        vec![
            json!(id),
            lease[0].clone(),
            lease[TENANT_ID].clone(),
            lease[LANDLORD_ID].clone(),
            lease[MONTHLY_RENT].clone(),
            json!(chance.pick(&["wave", "orange_money", "bank", "cash"])),
            json!(date_of(day(due))),
            if paid { hour(due + 1, 10) } else { Value::Null },
            json!(if paid { "paid" } else { "due" }),
        ]
    };
    (1..).zip(months).map(&mut payment).collect()
}

const VISIT_COLUMNS: &[Column] = &[
    ID,
    Column("property_id", Integer, Required),
    Column("visitor_id", Integer, Required),
    Column("host_id", Integer, Required),
    Column("slot", Timestamp, Required),
    Column("status", Text, Always("requested")),
];

fn visits(chance: &mut Chance, properties: &[Row]) -> Vec<Row> {
    let mut visit = |id: u32| {
        let home = &properties[id as usize * 13 % properties.len()];
        let visitor = chance.between(OWNERS + 1, PROFILES + 1);
        let status = chance.pick(&["requested", "confirmed", "cancelled", "done"]);
        let slot = hour(100 + id, 8 + id % 9);
        vec![json!(id), home[0].clone(), json!(visitor), home[OWNER_ID].clone(), slot, json!(status)]
    };
    (1..=VISITS).map(&mut visit).collect()
}

const NOTIFICATION_COLUMNS: &[Column] = &[
    ID,
    Column("user_id", Integer, Required),
    Column("kind", Text, Required),
    Column("title", Text, Required),
    Column("body", Text, Null),
    Column("read_at", Timestamp, Null),
    Column("created_at", Timestamp, Now),
];

/// Kind, title.
const NOTICES: [(&str, &str); 4] = [
    ("rent_due", "Loyer à payer"),
    ("visit", "Visite demandée"),
    ("message", "Nouveau message"),
    ("lease", "Bail signé"),
];

fn notifications(chance: &mut Chance) -> Vec<Row> {
    let mut notification = |id: u32| {
        let (kind, title) = chance.pick(&NOTICES);
        let (arrived, user) = (150 + id % 30, chance.between(1, PROFILES + 1));
        let read = if chance.percent(50) { hour(arrived, 18) } else { Value::Null };
        let body = format!("Notification n°{id}");
        vec![json!(id), json!(user), json!(kind), json!(title), json!(body), read, hour(arrived, 8)]
    };
    (1..=NOTIFICATIONS).map(&mut notification).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_fits_its_table_and_every_table_is_the_same_again() {
        let tables = tables();
        for table in &tables {
            for row in &table.rows {
                assert_eq!(row.len(), table.columns.len(), "{} {row:?}", table.name);
                for (Column(name, kind, default), value) in table.columns.iter().zip(row) {
                    assert_eq!(kind.read_json(value).as_ref(), Ok(value), "{}.{name}", table.name);
                    assert!(!value.is_null() || *default == Null, "{}.{name}", table.name);
                }
            }
        }
        let rows = |tables: &[Table]| tables.iter().map(|table| table.rows.clone()).collect::<Vec<_>>();
        assert_eq!(rows(&tables), rows(&super::tables()));
        assert!(rows(&tables).iter().map(Vec::len).sum::<usize>() > 500);
    }
}
