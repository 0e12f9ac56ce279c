//! Does any logic tree panic, or print as something else than it was read as?
#![no_main]

use larder::postgrest::Logic;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parameter: (&str, &str)| {
    let (name, value) = parameter;
    for name in [name, "or"] {
        if let Ok(logic) = Logic::parse(name, value) {
            let (name, value) = (logic.parameter_name(), logic.parameter_value());
            assert_eq!(Logic::parse(&name, &value), Ok(logic.clone()));
        }
    }
});
