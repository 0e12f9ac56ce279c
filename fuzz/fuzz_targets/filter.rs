//! Does any filter or order panic, or print as something else than it was read as?
#![no_main]

use larder::postgrest::{Filter, Order};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parameter: (&str, &str)| {
    let (name, value) = parameter;
    if let Ok(filter) = Filter::parse(name, value) {
        let (name, value) = (filter.parameter_name(), filter.expression.to_string());
        assert_eq!(Filter::parse(&name, &value), Ok(filter.clone()));
    }
    if let Ok(order) = Order::parse(value) {
        let printed = order.to_string();
        assert_eq!(Order::parse(&printed), Ok(order.clone()));
    }
});
