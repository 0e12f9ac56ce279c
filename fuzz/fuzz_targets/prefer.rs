//! Does any `Prefer` panic, or mean something else once it is in its effective form?
#![no_main]

use larder::postgrest::Preferences;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: Vec<&str>| {
    let effective = Preferences::parse(lines).effective();
    assert_eq!(Preferences::parse([effective.as_str()]).effective(), effective);
});
