//! What is counted? (stands in until the real registry is here)

/// Every metric of the process.
#[derive(Debug, Default)]
pub struct Metrics {}

impl Metrics {
    /// Everything counted so far, in Prometheus text.
    pub fn render(&self) -> String {
        String::new()
    }
}
