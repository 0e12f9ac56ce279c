//! Are addresses read, are their mistakes told, and is no password ever shown?

use super::*;

fn one(text: &str) -> Endpoint {
    match Address::parse(text).unwrap().form {
        Form::One(endpoint) => endpoint,
        _ => panic!("{text} is not one server"),
    }
}

#[test]
fn each_form_is_read() {
    for (text, shown) in [
        ("redis://localhost", "redis://localhost:6379/0"),
        (" redis://localhost/ ", "redis://localhost:6379/0"),
        ("redis://ann:s%40cret@cache.example:6380/3", "redis://cache.example:6380/3"),
        ("redis://:secret@127.0.0.1", "redis://127.0.0.1:6379/0"),
        ("rediss://[::1]:6380", "rediss://[::1]:6380/0"),
        ("valkeys://h/1", "rediss://h:6379/1"),
        ("redis+unix:///run/redis.sock", "redis+unix:///run/redis.sock?db=0"),
        ("redis+unix://ann:x@/run/a%20b.sock?db=7", "redis+unix:///run/a b.sock?db=7"),
        ("redis+sentinel://a,b:26380/mymaster", "redis+sentinel://a:26379,b:26380/mymaster/0"),
        ("redis+sentinel://:x@a/m/2?sentinel_password=y", "redis+sentinel://a:26379/m/2"),
        ("redis+cluster://u:p@a:7000,b:7001", "redis+cluster://a:7000,b:7001"),
        ("rediss+cluster://a/0", "rediss+cluster://a:6379"),
    ] {
        let address = Address::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(address.to_string(), shown);
        assert_eq!(format!("{address:?}"), format!("Address({shown})"));
    }
}

#[test]
fn user_password_and_database_are_taken_over() {
    let endpoint = one("redis://ann:s%40c%3Ar%2Fet@h/3");
    assert_eq!(endpoint.login.username(), Some("ann"));
    assert_eq!(endpoint.login.password(), Some("s@c:r/et"));
    assert_eq!(endpoint.login.db(), 3);
    let unnamed = one("redis://:secret@h");
    assert_eq!((unnamed.login.username(), unnamed.login.password()), (None, Some("secret")));
}

#[test]
fn a_sentinel_has_a_password_of_its_own() {
    let text = "redis+sentinel://u:p@a,b/m/1?sentinel_user=su&sentinel_password=s%26p";
    let Form::Sentinels(sentinels) = Address::parse(text).unwrap().or_password("other").form else {
        panic!("sentinels")
    };
    assert_eq!(sentinels.login.password(), Some("p"));
    assert_eq!(sentinels.asked.len(), 2);
    for asked in sentinels.asked {
        assert_eq!((asked.login.username(), asked.login.password()), (Some("su"), Some("s&p")));
        assert_eq!(asked.login.db(), 0, "a sentinel has no databases");
    }
}

#[test]
fn a_password_is_filled_in_only_where_none_is() {
    let filled = |text: &str| match Address::parse(text).unwrap().or_password("later").form {
        Form::One(endpoint) => endpoint.login.password().map(str::to_owned),
        Form::Cluster(seeds) => seeds[1].login.password().map(str::to_owned),
        _ => None,
    };
    assert_eq!(filled("redis://h").as_deref(), Some("later"));
    assert_eq!(filled("redis://ann@h").as_deref(), Some("later"));
    assert_eq!(filled("redis://:first@h").as_deref(), Some("first"));
    assert_eq!(filled("redis+cluster://a,b").as_deref(), Some("later"));
}

#[test]
fn each_mistake_is_told_without_the_password() {
    use AddressError as E;
    let parameter = |name: &str| E::Parameter(name.to_owned());
    for (text, error) in [
        ("", E::Form),
        ("localhost:6379", E::Form),
        ("http://localhost", E::Form),
        ("Secret://localhost", E::Form),
        ("redis://", E::Host),
        ("redis://:Secret@", E::Host),
        ("redis://:Secret@ho st", E::Host),
        ("redis://[::1", E::Host),
        ("redis://[nonsense]", E::Host),
        ("redis://[::1]6379", E::Port),
        ("redis://:Secret@h:0", E::Port),
        ("redis://:Secret@h:65536", E::Port),
        ("redis://:Secret@h:port", E::Port),
        ("redis://:Sec/ret@h", E::Login),
        ("redis://:Sec?ret=1@h", E::Login),
        ("redis://:Sec#ret@h", E::Login),
        ("redis://:Sec@ret@h", E::Login),
        ("redis://:Secret%@h", E::Login),
        ("redis://:Secret%zz@h", E::Login),
        ("redis://:Secret%ff@h", E::Login),
        ("redis://h:6379/#insecure", E::Login),
        ("redis://a,b", E::Hosts),
        ("redis://h/x", E::Database),
        ("redis://h/-1", E::Database),
        ("redis://h/1/2", E::Database),
        ("redis+cluster://h/1", E::ClusterDatabase),
        ("redis+sentinel://h", E::Service),
        ("redis+sentinel://h//1", E::Service),
        ("redis+unix://", E::Socket),
        ("redis+unix://run/x.sock", E::Socket),
        ("redis+unix:///x?db=y", E::Database),
        ("redis://h?db=1", parameter("db")),
        ("redis://h?ca=/x", parameter("ca")),
        ("redis+unix:///x?db=1&db=2", parameter("db")),
        ("redis://h?sentinel_password=Secret", parameter("sentinel_password")),
        ("rediss://h?cert=/x", E::Pair),
        ("rediss://h?key=/x", E::Pair),
    ] {
        let told = match Address::parse(text) {
            Err(told) => told,
            Ok(address) => panic!("{text} was read as {address}"),
        };
        assert_eq!(told, error, "{text}");
        let words = format!("{told} {told:?}").to_lowercase();
        assert!(!words.contains("sec") && !words.contains("ret@"), "{text}: {words}");
    }
}

#[test]
fn files_are_read_at_start() {
    let told = |text: &str| Address::parse(text).unwrap_err().to_string();
    assert!(told("rediss://h?ca=/nowhere/ca.pem").starts_with("ca: /nowhere/ca.pem cannot be read: "));
    let empty = std::env::temp_dir().join(format!("larder-empty-{}.pem", std::process::id()));
    std::fs::write(&empty, "nothing").unwrap();
    for parameters in ["ca={}", "cert={}&key={}"] {
        let query = parameters.replace("{}", &empty.to_string_lossy());
        assert!(told(&format!("rediss://h?{query}")).contains("(hint: PEM"), "{query}");
    }
    std::fs::remove_file(&empty).unwrap();
}

#[test]
fn a_rest_address_is_a_url_and_a_token() {
    let address = Address::upstash("https://eu1-x.upstash.io", " AbC= \n").unwrap();
    assert_eq!(address.to_string(), "https://eu1-x.upstash.io");
    assert!(address.is_rest());
    for url in ["", "eu1-x.upstash.io", "redis://x", "https://", "https://u:p@x", "https://x/?a=b"] {
        assert_eq!(Address::upstash(url, "t").unwrap_err(), AddressError::RestUrl, "{url}");
    }
    for token in ["", "  ", "two words", "é"] {
        assert_eq!(Address::upstash("https://x", token).unwrap_err(), AddressError::RestToken, "{token}");
    }
}
