//! What does it cost to decide what a read needs: parse, match, identify, name?
//!
//! `planning` prints two lines, `remembered NS` and `new-target NS`: nanoseconds for the plan of
//! the very same read again, and of one whose caller is known but not its target. A hundred
//! rules, of which the last matches, and the 1.1 KB of headers that supabase-js sends.

use std::hint::black_box;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Request;
use http::request::Parts;
use larder::plan::{Framing, Plan, Planner};
use larder::rules::{Context, RuleSet};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RULES: usize = 100;
const PLANS: usize = 20_000;
const ROUNDS: usize = 25;
const NOW_UNIX: u64 = 1_800_000_000;

fn planner() -> Planner {
    let mut text = String::from("version: 1\nreads:\n");
    for rule in 1..RULES {
        text += &format!("  - {{ name: other-{rule}, match: \"/rest/v1/other_{rule:03}*\", ttl: 1h }}\n");
    }
    text += "  - { name: properties, match: /rest/v1/properties, key: \"list:{query}\", ttl: 1h }\n";
    let (default_schema, upstream, ignored_claims) = ("public".into(), "http://upstream".into(), Vec::new());
    let context = Context { default_schema, upstream, ignored_claims, ..Context::default() };
    Planner::new(RuleSet::parse(&text, &context).expect("the rules are in order").0, None)
}

/// A token of the usual length, signed by nobody.
fn token(claims: &str) -> String {
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", part(br#"{"alg":"HS256","typ":"JWT"}"#), part(claims.as_bytes()), part(&[7; 32]))
}

fn head(target: &str) -> Parts {
    let anon = token(r#"{"iss":"supabase","ref":"abcdefghijklmnopqrst","role":"anon","exp":2015575999}"#);
    let user = token(
        r#"{"iss":"https://abcdefghijklmnopqrst.supabase.co/auth/v1","sub":"6f1d2c3b-4a59-4687-9786-a5b4c3d2e1f0","aud":"authenticated","exp":2015575999,"iat":1700000000,"email":"someone@example.com","phone":"","app_metadata":{"provider":"email","providers":["email"]},"user_metadata":{"email_verified":true},"role":"authenticated","aal":"aal1","amr":[{"method":"password","timestamp":1700000000}],"session_id":"0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d","is_anonymous":false}"#,
    );
    let headers = [
        ("host", "127.0.0.1:8080"),
        ("accept", "*/*"),
        ("accept-encoding", "gzip, deflate"),
        ("accept-language", "*"),
        ("accept-profile", "public"),
        ("apikey", &anon),
        ("authorization", &format!("Bearer {user}")),
        ("sec-fetch-mode", "cors"),
        ("user-agent", "node"),
        ("x-client-info", "supabase-js-node/2.50.0"),
    ];
    let request = Request::get(target);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(()).expect("a request").into_parts().0
}

/// The quickest round: whatever else the machine does only makes it slower.
#[expect(clippy::disallowed_methods, reason = "it measures the machine")]
fn nanoseconds(planner: &Planner, heads: impl Fn(usize) -> Vec<Parts>) -> f64 {
    let round = |number| {
        let heads = heads(number);
        let began = Instant::now();
        for head in &heads {
            let plan = planner.plan(black_box(head), Framing::default(), NOW_UNIX);
            assert!(matches!(black_box(plan), Plan::Read(_)));
        }
        began.elapsed().as_secs_f64() * 1e9 / heads.len() as f64
    };
    (0..ROUNDS).map(round).fold(f64::INFINITY, f64::min)
}

#[expect(clippy::print_stdout, reason = "its result")]
fn main() {
    let planner = planner();
    let target = |number: usize| {
        format!("/rest/v1/properties?select=*&status=eq.published&order=id&limit=4&offset={number}")
    };
    let same = nanoseconds(&planner, |_| vec![head(&target(0)); PLANS]);
    let new = nanoseconds(&planner, |round| (0..PLANS).map(|at| head(&target(round * PLANS + at))).collect());
    println!("remembered {same:.0}\nnew-target {new:.0}");
}
