//! Which content delivery network stands in front, and how is it told?

use clap::Args;

use crate::cdn::{Purges, Service, ServiceMistake, Written};
use crate::metrics::Metrics;
use crate::upstream::client_tls;

use super::settings::SettingMistake;
use super::shutdown::Shutdown;

/// What no command line should show.
const TOKEN: &str = "LARDER_CDN_TOKEN";

/// Settings of the network in front.
#[derive(Args, Clone, Debug, Default)]
pub struct NetworkFlags {
    /// Network in front that is told what changes: `cloudflare:<zone>`, `fastly:<service>`, or the URL of a
    /// hook; LARDER_CDN_TOKEN holds the token
    #[arg(long, env = "LARDER_CDN", value_name = "SERVICE", hide_env_values = true)]
    pub cdn: Option<String>,
    /// What a hook is sent, with `{tags}` for the list of tags [default: {"tags":{tags}}]
    #[arg(long, env = "LARDER_CDN_BODY", value_name = "TEMPLATE")]
    pub cdn_body: Option<String>,
    /// Where Cloudflare's or Fastly's interface answers, if elsewhere than usual
    #[arg(long, env = "LARDER_CDN_API", value_name = "URL")]
    pub cdn_api: Option<String>,
}

/// A network that can be told.
#[derive(Clone, Debug)]
pub struct Network {
    service: Service,
}

/// Finds out which network it is.
pub(super) fn network(
    flags: &NetworkFlags,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Network>, SettingMistake> {
    let present = |flag: &'_ Option<String>| flag.clone().filter(|text| !text.is_empty());
    let Some(service) = present(&flags.cdn) else { return Ok(None) };
    let (api, body, token) = (present(&flags.cdn_api), present(&flags.cdn_body), variable(TOKEN));
    let written =
        Written { service: &service, api: api.as_deref(), body: body.as_deref(), token: token.as_deref() };
    let mistake = |mistake: ServiceMistake| match mistake {
        ServiceMistake::Token => SettingMistake::of_variable(TOKEN, mistake.to_string()),
        ServiceMistake::Api => SettingMistake::of_flag("cdn-api", mistake.to_string()),
        ServiceMistake::NoPlace | ServiceMistake::Body => {
            SettingMistake::of_flag("cdn-body", mistake.to_string())
        }
        ServiceMistake::Unknown | ServiceMistake::Name | ServiceMistake::User | ServiceMistake::NoToken => {
            SettingMistake::of_flag("cdn", mistake.to_string())
        }
    };
    Service::parse(written).map(|service| Some(Network { service })).map_err(mistake)
}

impl Network {
    /// Tells it of changes for as long as anybody can make some.
    pub(super) fn open(&self, metrics: &Metrics, shutdown: &Shutdown) -> Purges {
        let (purges, sender) = Purges::new(self.service.clone(), client_tls(), metrics);
        shutdown.tasks().spawn(sender.run(shutdown.draining().clone()));
        purges
    }
}
