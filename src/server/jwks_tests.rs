//! Do keys come, change and go as they should? Schedules in paused time, fetches over real sockets.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use ring::signature::{Ed25519KeyPair, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::TaskTracker;

use crate::identity::{ApiKeys, Identity, Reason};
use crate::upstream::client_tls;

use super::super::shutdown::Drained;
use super::*;

const ISSUER: &str = "https://project.example/auth/v1";
const MINUTE: Duration = Duration::from_mins(1);

fn issuers() -> Issuers {
    Issuers::Only(vec![ISSUER.into()])
}

fn verifier() -> Arc<Verifier> {
    Arc::new(Verifier::new(Keys::default(), ApiKeys::default()))
}

/// For tests only: its seed is public.
fn signer(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

fn key_set(seeds: &[u8]) -> String {
    let member = |seed: &u8| {
        let point = URL_SAFE_NO_PAD.encode(signer(*seed).public_key().as_ref());
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{point}","kid":"key-{seed}"}}"#)
    };
    format!(r#"{{"keys":[{}]}}"#, seeds.iter().map(member).collect::<Vec<_>>().join(","))
}

/// Asks who somebody is whose token was signed with this key.
fn ask(verifier: &Verifier, seed: u8) -> Identity {
    let part = |json: &str| URL_SAFE_NO_PAD.encode(json);
    let header = part(&format!(r#"{{"alg":"EdDSA","kid":"key-{seed}"}}"#));
    let claims = part(&format!(r#"{{"iss":"{ISSUER}","role":"authenticated","sub":"ann","exp":2000}}"#));
    let signed = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(signer(seed).sign(signed.as_bytes()));
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {signed}.{signature}").parse().unwrap());
    verifier.identify(&headers, 1000)
}

fn knows(verifier: &Verifier, seed: u8) -> bool {
    match ask(verifier, seed) {
        Identity::User { .. } => true,
        Identity::Unverified(Reason::UnknownKey) => false,
        other => panic!("{other:?}"),
    }
}

/// An issuer without a socket, in paused time.
#[derive(Default)]
struct Scripted {
    /// The seeds of its keys; `None` while it is down.
    keys: Mutex<Option<Vec<u8>>>,
    fetches: AtomicUsize,
    metrics: Metrics,
}

impl Scripted {
    /// What an operator sees: successes, failures, keys in use.
    fn counted(&self) -> [Option<String>; 3] {
        let text = self.metrics.render();
        let value = |name: &str| {
            text.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
        };
        [
            value(r#"larder_jwks_fetches_total{result="ok"}"#),
            value(r#"larder_jwks_fetches_total{result="failed"}"#),
            value("larder_token_keys "),
        ]
    }

    fn publish(&self, seeds: &[u8]) {
        *self.keys.lock().unwrap() = Some(seeds.to_vec());
    }

    fn go_down(&self) {
        *self.keys.lock().unwrap() = None;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::Relaxed)
    }

    fn answer(&self) -> Result<PublicKeys, FetchError> {
        self.fetches.fetch_add(1, Ordering::Relaxed);
        let keys = self.keys.lock().unwrap();
        let seeds = keys.as_ref().ok_or(FetchError::Status(StatusCode::INTERNAL_SERVER_ERROR))?;
        Ok(PublicKeys::parse(key_set(seeds).as_bytes())?)
    }
}

/// Plays a script beside a keeper, from just after its first fetch on.
async fn play(issuer: &Scripted, script: impl AsyncFnOnce(&Verifier)) {
    let verifier = verifier();
    let source = KeySource::of_issuer("https://id.example/keys", issuers()).unwrap();
    let key_ring = KeyRing::new(Arc::clone(&verifier), Keys::default(), &[source], issuer.metrics.clone());
    let keeper = Keeper::new(0, "test".into(), key_ring, PACE);
    tokio::select! {
        biased;
        () = keeper.keep(|| async { issuer.answer() }) => {}
        () = script(&verifier) => {}
    }
}

/// Lets virtual time pass: the runtime is paused.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn g15_a_flood_of_unknown_keys_makes_one_fetch_in_30_seconds() {
    let issuer = Scripted::default();
    issuer.publish(&[1]);
    play(&issuer, async |verifier| {
        assert_eq!(issuer.fetches(), 1);
        for seed in 0..100 {
            for _again in 0..10 {
                assert_eq!(knows(verifier, seed), seed == 1);
            }
            pass(Duration::from_millis(100)).await; // 10 s in all
        }
        assert_eq!(issuer.fetches(), 1, "the first fetch is too recent");
        pass(Duration::from_millis(20_500)).await;
        assert_eq!(issuer.fetches(), 2);
        pass(MINUTE).await;
        assert_eq!(issuer.fetches(), 2, "what was asked before the fetch is answered by it");
        assert!(!knows(verifier, 7));
        pass(Duration::from_millis(1)).await;
        assert_eq!(issuer.fetches(), 3, "the last fetch is long ago: at once");
        for _ in 0..60 {
            assert!(!knows(verifier, 7));
            pass(Duration::from_secs(1)).await;
        }
        assert!(issuer.fetches() <= 5, "{}", issuer.fetches());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_known_within_30_seconds_of_its_first_token() {
    let issuer = Scripted::default();
    issuer.publish(&[1]);
    play(&issuer, async |verifier| {
        issuer.publish(&[1, 2]);
        assert!(!knows(verifier, 2));
        pass(Duration::from_millis(30_001)).await;
        assert!(knows(verifier, 1) && knows(verifier, 2));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn g16_a_removed_key_is_refused_after_at_most_the_maximum_age() {
    let issuer = Scripted::default();
    issuer.publish(&[1, 2]);
    play(&issuer, async |verifier| {
        assert!(knows(verifier, 1) && knows(verifier, 2));
        issuer.publish(&[2]);
        pass(PACE.max_age).await;
        assert!(!knows(verifier, 1) && knows(verifier, 2));
        issuer.publish(&[]);
        pass(PACE.max_age).await;
        assert!(!verifier.can_verify_anything());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn trap_102_and_g16_an_issuer_that_is_down_is_believed_for_ten_minutes_and_no_longer() {
    let issuer = Scripted::default();
    issuer.publish(&[1]);
    play(&issuer, async |verifier| {
        assert_eq!(issuer.counted(), [Some("1".into()), None, Some("1".into())]);
        issuer.go_down();
        pass(PACE.max_age - Duration::from_millis(1)).await;
        assert!(knows(verifier, 1));
        assert_eq!(issuer.counted(), [Some("1".into()), Some("10".into()), Some("1".into())]);
        pass(Duration::from_millis(2)).await;
        assert!(!knows(verifier, 1) && !verifier.can_verify_anything());
        assert_eq!(issuer.counted()[2], Some("0".into()));
        let fetches = issuer.fetches();
        pass(10 * MINUTE).await;
        assert!((19..=21).contains(&(issuer.fetches() - fetches)), "one every 30 seconds");
        issuer.publish(&[1]);
        pass(PACE.cool_down).await;
        assert!(knows(verifier, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn trap_102_an_issuer_that_was_never_there_verifies_nothing() {
    let issuer = Scripted::default();
    play(&issuer, async |verifier| {
        assert!(!knows(verifier, 1));
        pass(60 * MINUTE).await;
        assert!(!knows(verifier, 1) && !verifier.can_verify_anything());
        assert!((119..=122).contains(&issuer.fetches()), "{}", issuer.fetches());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_same_keys_again_forget_nothing() {
    let issuer = Scripted::default();
    issuer.publish(&[1]);
    play(&issuer, async |verifier| {
        let Identity::User { user: before, .. } = ask(verifier, 1) else { panic!() };
        pass(6 * MINUTE).await;
        assert_eq!(issuer.fetches(), 2);
        let Identity::User { user: after, .. } = ask(verifier, 1) else { panic!() };
        assert!(Arc::ptr_eq(&before, &after));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_issuer_down_takes_no_key_from_another() {
    let verifier = verifier();
    let source = || KeySource::of_issuer("https://id.example/keys", issuers()).unwrap();
    let key_ring =
        KeyRing::new(Arc::clone(&verifier), Keys::default(), &[source(), source()], Metrics::new());
    let set = |seed| PublicKeys::parse(key_set(&[seed]).as_bytes()).unwrap();
    assert!(key_ring.put(0, Some(set(1))));
    assert!(key_ring.put(1, Some(set(2))));
    assert!(knows(&verifier, 1) && knows(&verifier, 2));
    assert!(!key_ring.put(1, Some(set(2))));
    assert!(key_ring.put(0, None));
    assert!(!knows(&verifier, 1) && knows(&verifier, 2));
}

#[tokio::test(start_paused = true)]
async fn that_no_token_can_be_verified_is_told_only_where_it_is_so() {
    for (secrets, seeds, told) in [
        (Keys::default(), Some(&[][..]), true),
        (Keys::default(), None, true),
        (Keys::default(), Some(&[1][..]), false),
        (Keys::new(&["a secret of at least thirty-two bytes"], Issuers::Any).unwrap(), None, false),
    ] {
        let issuer = Scripted::default();
        *issuer.keys.lock().unwrap() = seeds.map(<[u8]>::to_vec);
        let source = KeySource::of_issuer("https://id.example/keys", issuers()).unwrap();
        let verifier = Arc::new(Verifier::new(secrets.clone(), ApiKeys::default()));
        let key_ring = KeyRing::new(verifier, secrets, &[source], issuer.metrics.clone());
        assert!(!key_ring.is_told.load(Ordering::Relaxed), "not before the first fetch");
        let keeper = Keeper::new(0, "test".into(), Arc::clone(&key_ring), PACE);
        tokio::select! {
            biased;
            () = keeper.keep(|| async { issuer.answer() }) => {}
            () = pass(MINUTE) => {}
        }
        assert_eq!(key_ring.is_told.load(Ordering::Relaxed), told, "{seeds:?}");
    }
}

/// What an issuer with a socket does with each connection.
#[derive(Clone)]
enum Habit {
    /// Sends these bytes and closes.
    Says(String),
    /// Sends this head, and a body without an end.
    Floods(&'static str),
    /// Reads, and says nothing.
    IsSilent,
}

struct Issuer {
    origin: Origin,
    habit: Arc<Mutex<Habit>>,
    requests: Arc<AtomicUsize>,
    tasks: TaskTracker,
}

impl Issuer {
    async fn start(habit: Habit) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let (habit, requests, tasks) = (Arc::new(Mutex::new(habit)), Arc::default(), TaskTracker::new());
        let (habits, counter, spawner) = (Arc::clone(&habit), Arc::clone(&requests), tasks.clone());
        tasks.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let habit = habits.lock().unwrap().clone();
                spawner.spawn(serve(socket, habit, Arc::clone(&counter)));
            }
        });
        Self { origin, habit, requests, tasks }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    fn url(&self) -> Uri {
        KeySource::of_upstream(&self.origin, issuers()).unwrap().url
    }
}

async fn serve(mut socket: TcpStream, habit: Habit, requests: Arc<AtomicUsize>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await?);
    }
    assert!(head.starts_with(b"GET /auth/v1/.well-known/jwks.json HTTP/1.1\r\n"));
    requests.fetch_add(1, Ordering::Relaxed);
    match habit {
        Habit::Says(answer) => socket.write_all(answer.as_bytes()).await?,
        Habit::Floods(head) => {
            socket.write_all(head.as_bytes()).await?;
            loop {
                socket.write_all(&[b' '; 4096]).await?;
            }
        }
        Habit::IsSilent => pending().await,
    }
    Ok(())
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// A fetch that fails, in a word.
async fn failure(issuer: &Issuer) -> String {
    let client = client(client_tls());
    match timeout(MINUTE, fetch(client, issuer.url())).await.expect("an answer in time") {
        Ok(set) => panic!("{set:?}"),
        Err(FetchError::Status(status)) => status.as_u16().to_string(),
        Err(error) => error.source().map_or(error.to_string(), ToString::to_string),
    }
}

#[tokio::test]
async fn g16_what_is_no_key_set_is_refused() {
    let (shape, large) = (JwksMistake::Shape.to_string(), JwksMistake::Large.to_string());
    let ten_mebibytes = "HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n";
    let endless = "HTTP/1.1 200 OK\r\n\r\n";
    for (habit, expected) in [
        (Habit::Says(answer("500 Oh", &key_set(&[1]))), "500"),
        (Habit::Says(answer("204 Nothing", "")), "204"),
        (Habit::Says(answer("200 OK", "<html>")), &*shape),
        (Habit::Says(answer("200 OK", "")), &*shape),
        (Habit::Says(answer("200 OK", &key_set(&[1])[1..])), &*shape),
        (Habit::Floods(ten_mebibytes), &*large),
        (Habit::Floods(endless), &*large),
    ] {
        let issuer = Issuer::start(habit).await;
        assert_eq!(failure(&issuer).await, expected);
        assert_eq!(issuer.requests(), 1);
    }
    let cut_short = answer("200 OK", &key_set(&[1])).replace("content-length: ", "content-length: 9");
    let cut_short = Issuer::start(Habit::Says(cut_short)).await;
    let error = fetch(client(client_tls()), cut_short.url()).await.unwrap_err();
    assert!(matches!(error, FetchError::Broken(_)), "{error:?}");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Issuer::start(Habit::Says(answer("200 OK", &key_set(&[1])))).await;
    for status in ["301", "302", "303", "307", "308"] {
        let head = format!("HTTP/1.1 {status} There\r\nlocation: {}\r\n", target.url());
        let issuer = Issuer::start(Habit::Says(format!("{head}content-length: 0\r\n\r\n"))).await;
        assert_eq!(failure(&issuer).await, status);
    }
    assert_eq!(target.requests(), 0);
}

#[tokio::test]
async fn an_issuer_that_is_not_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = Origin::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let url = KeySource::of_upstream(&origin, issuers()).unwrap().url;
    let error = fetch(client(client_tls()), url).await.unwrap_err();
    assert!(matches!(error, FetchError::NoAnswer(_)), "{error:?}");
}

/// Keeps a verifier current over a real socket, waiting for as little as the script needs.
async fn keep_over_socket(issuer: &Issuer, pace: Pace, script: impl AsyncFnOnce(&Verifier)) {
    let verifier = verifier();
    let source = KeySource::of_upstream(&issuer.origin, issuers()).unwrap();
    let key_ring =
        KeyRing::new(Arc::clone(&verifier), Keys::default(), std::slice::from_ref(&source), Metrics::new());
    let keeper = Keeper::new(0, source.to_string(), key_ring, pace);
    let client = client(client_tls());
    let played = timeout(MINUTE, async {
        tokio::select! {
            () = keeper.keep(|| fetch(client.clone(), source.url.clone())) => {}
            () = script(&verifier) => {}
        }
    });
    played.await.expect("the script ends");
}

async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn keys_rotate_over_a_real_socket_when_their_first_token_comes() {
    let issuer = Issuer::start(Habit::Says(answer("200 OK", &key_set(&[1])))).await;
    let pace = Pace { cool_down: Duration::ZERO, ..PACE };
    keep_over_socket(&issuer, pace, async |verifier| {
        until(|| knows(verifier, 1)).await;
        *issuer.habit.lock().unwrap() = Habit::Says(answer("200 OK", &key_set(&[2])));
        until(|| knows(verifier, 2)).await;
        assert!(!knows(verifier, 1));
    })
    .await;
}

#[tokio::test]
async fn g16_a_silent_issuer_is_waited_for_only_so_long_and_asked_again() {
    let issuer = Issuer::start(Habit::IsSilent).await;
    let pace = Pace { fetch: Duration::from_millis(50), cool_down: Duration::from_millis(50), ..PACE };
    keep_over_socket(&issuer, pace, async |verifier| {
        until(|| issuer.requests() >= 2).await;
        assert!(!knows(verifier, 1));
        *issuer.habit.lock().unwrap() = Habit::Says(answer("200 OK", &key_set(&[1])));
        until(|| verifier.can_verify_anything()).await;
        assert!(knows(verifier, 1));
    })
    .await;
}

#[tokio::test]
async fn a_flood_over_a_real_socket_makes_no_second_fetch() {
    let issuer = Issuer::start(Habit::Says(answer("200 OK", &key_set(&[1])))).await;
    keep_over_socket(&issuer, PACE, async |verifier| {
        until(|| verifier.can_verify_anything()).await;
        for flood in 0..1000 {
            assert!(!knows(verifier, 2));
            if flood % 100 == 0 {
                tokio::task::yield_now().await; // so that the keeper sees it
            }
        }
        assert_eq!(issuer.requests(), 1);
    })
    .await;
}

#[tokio::test]
async fn draining_ends_every_keeper() {
    let issuer = Issuer::start(Habit::IsSilent).await;
    let shutdown = Shutdown::default();
    let sources = vec![KeySource::of_upstream(&issuer.origin, issuers()).unwrap(); 2];
    let key_ring = KeyRing::new(verifier(), Keys::default(), &sources, Metrics::new());
    keep_keys(&key_ring, sources, client_tls(), &shutdown);
    until(|| issuer.requests() == 2).await;
    let drained = shutdown.drain(MINUTE).await;
    assert_eq!(drained, Drained::Everything);
    assert!(!issuer.tasks.is_empty());
}

#[test]
fn another_issuers_keys_come_over_tls() {
    for (url, good) in [
        ("https://id.example/.well-known/jwks.json", true),
        ("https://id.example/keys?tenant=1", true),
        ("http://id.example/keys", false),
        ("file:///etc/passwd", false),
        ("https://user:password@id.example/keys", false),
        ("/keys", false),
        ("", false),
    ] {
        assert_eq!(KeySource::of_issuer(url, issuers()).is_ok(), good, "{url}");
    }
    let source = KeySource::of_issuer("https://id.example/keys?token=secret", issuers()).unwrap();
    assert_eq!(format!("{source} {source:?}"), "https://id.example/keys KeySource(https://id.example/keys)");
    let origin = Origin::parse("https://abc.supabase.co").unwrap();
    assert_eq!(KeySource::upstream_issuer(&origin), "https://abc.supabase.co/auth/v1");
}
