//! Does any `select` panic, or print as something else than it was read as?
#![no_main]

use larder::postgrest::Select;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(select) = Select::parse(text) {
        let printed = select.to_string();
        assert_eq!(Select::parse(&printed), Ok(select.clone()));
        let _ambiguous = select.has_ambiguous_embeds();
    }
});
