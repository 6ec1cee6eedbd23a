//! As much of a URL as redirects and the token's rule need.

use std::net::IpAddr;

use ureq::http::Uri;

/// Where a URL leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: String,
    /// Lower case.
    pub host: String,
    /// That of the scheme where none is said.
    pub port: u16,
}

impl Origin {
    /// The origin of `url`; `None` where it is no http(s) URL with a host.
    pub fn of(url: &str) -> Option<Origin> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_owned();
        let usual = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let host = uri.host()?.trim_matches(['[', ']']).to_lowercase();
        Some(Origin { scheme, host, port: uri.port_u16().unwrap_or(usual) })
    }

    /// Whether it is this machine.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether others on the way can read what is sent.
    pub fn is_private(&self) -> bool {
        self.scheme == "https" || self.is_loopback()
    }
}

/// Whether `location` names a host.
pub fn is_absolute(location: &str) -> bool {
    location.contains("://") || location.starts_with("//")
}

/// `location` as seen from `base`.
pub fn join(base: &str, location: &str) -> String {
    if location.contains("://") {
        return location.to_owned();
    }
    let (scheme, rest) = base.split_once("://").unwrap_or(("https", base));
    if let Some(rest) = location.strip_prefix("//") {
        return format!("{scheme}://{rest}");
    }
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if location.starts_with('/') {
        return format!("{scheme}://{host}{location}");
    }
    let folder = path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    format!("{scheme}://{host}/{folder}{location}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_joined_as_rfc_3986_says() {
        let base = "https://a.example:8443/b/c/d?q";
        for (location, want) in [
            ("g", "https://a.example:8443/b/c/g"),
            ("/g?x=1", "https://a.example:8443/g?x=1"),
            ("//h/g", "https://h/g"),
            ("http://h/g", "http://h/g"),
        ] {
            assert_eq!(join(base, location), want);
        }
        assert_eq!(join("http://a.example", "g"), "http://a.example/g");
        assert!(is_absolute("//h/g") && !is_absolute("/g") && !is_absolute("g"));
    }

    #[test]
    fn what_leads_out_of_the_machine_unencrypted_is_not_private() {
        let private = |url: &str| Origin::of(url).unwrap().is_private();
        assert!(private("https://a.example/") && private("http://127.0.0.1:80/") && private("http://[::1]:8/"));
        assert!(private("http://localhost:9/x") && !private("http://a.example/"));
        assert_eq!(Origin::of("https://A.Example/x").unwrap().port, 443);
        assert!(Origin::of("ftp://a.example/").is_none() && Origin::of("/x").is_none());
    }
}
