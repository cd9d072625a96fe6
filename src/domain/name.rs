//! Host names: which may be given, and what is held of one.

use core::net::Ipv4Addr;
use std::collections::BTreeSet;
use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde_json::{Value, json};

use crate::ids::NameId;
use crate::ports::provider_error::ProviderError;

/// How far `{n}` counts.
const LAST_NUMBER: u32 = 9_999;
/// What stands for the number in a pattern.
const NUMBER: &str = "{n}";

/// A reservation of a host name, on its way from the name alone to the name with its address in the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldName {
    pub id: NameId,
    /// Idempotency key of whoever holds it.
    pub key: String,
    pub name: String,
    pub fqdn: String,
    pub address: Option<Ipv4Addr>,
    /// Whether it is all there: the name, its address, and both in the DNS.
    pub is_complete: bool,
}

/// Which host names a site gives.
#[derive(Clone, Debug)]
pub struct NamingPolicy {
    domain: String,
    allowed: Option<Allowed>,
}

#[derive(Clone, Debug)]
struct Allowed {
    pattern: String,
    validator: Arc<Validator>,
}

/// Why a naming policy can't be as it is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NamingPolicyError {
    #[error("`{0}` is no domain; write it as `dc1.example.org`")]
    Domain(String),
    #[error("`{0}` is no regular expression: {1}")]
    Pattern(String, String),
}

impl NamingPolicy {
    /// Names of `domain`. Short names must match the regular expression `allowed`, where there is one.
    pub fn new(domain: &str, allowed: Option<&str>) -> Result<Self, NamingPolicyError> {
        if domain.len() > 180 || !domain.split('.').all(is_label) {
            return Err(NamingPolicyError::Domain(domain.to_owned()));
        }
        let allowed = allowed.map(Allowed::read).transpose()?;
        Ok(Self { domain: domain.to_owned(), allowed })
    }

    /// The name with its domain.
    pub fn fqdn(&self, name: &str) -> String {
        format!("{name}.{}", self.domain)
    }

    /// The first `count` names of `pattern` that are not taken. In a pattern `{n}` counts from 1; without it, the
    /// pattern is the name itself.
    pub fn free(&self, pattern: &str, taken: &BTreeSet<String>, count: usize) -> Result<Vec<String>, ProviderError> {
        self.check(pattern)?;
        if !is_numbered(pattern) {
            return match count {
                0 => Ok(Vec::new()),
                1 if !taken.contains(pattern) => Ok(vec![pattern.to_owned()]),
                _ => Err(ProviderError::refused(
                    format!("The name {pattern} is taken."),
                    "Choose another name, or retire what holds it.",
                )),
            };
        }
        let numbered = (1..=LAST_NUMBER).map(|n| pattern.replace(NUMBER, &n.to_string()));
        let free: Vec<String> = numbered.filter(|name| !taken.contains(name)).take(count).collect();
        if free.len() == count {
            return Ok(free);
        }
        Err(ProviderError::refused(
            format!("All {LAST_NUMBER} names of {pattern} are taken."),
            "Choose another pattern, or retire what is no longer needed.",
        ))
    }

    /// Only what may stand in the DNS may be given, and only what the site allows.
    fn check(&self, pattern: &str) -> Result<(), ProviderError> {
        if !is_label(&pattern.replace(NUMBER, &LAST_NUMBER.to_string())) {
            return Err(ProviderError::permanent(
                format!("`{pattern}` is no host name."),
                "Use lower-case letters, digits and hyphens, at most 63 in all.",
            ));
        }
        match &self.allowed {
            Some(allowed) if !allowed.fits(&pattern.replace(NUMBER, "1")) => Err(ProviderError::refused(
                format!("The site gives no names like `{pattern}`: they must match `{}`.", allowed.pattern),
                "Choose a name that matches, or have the site's naming policy changed.",
            )),
            _ => Ok(()),
        }
    }
}

impl Allowed {
    fn read(pattern: &str) -> Result<Self, NamingPolicyError> {
        let schema = json!({ "type": "string", "pattern": pattern });
        // The linear engine: no pattern takes long, whatever the name.
        let validator = jsonschema::options().with_pattern_options(PatternOptions::regex()).build(&schema);
        let validator = validator.map_err(|cause| NamingPolicyError::Pattern(pattern.to_owned(), cause.to_string()))?;
        Ok(Self { pattern: pattern.to_owned(), validator: Arc::new(validator) })
    }

    fn fits(&self, name: &str) -> bool {
        self.validator.is_valid(&Value::from(name))
    }
}

/// Whether the pattern stands for many names.
pub fn is_numbered(pattern: &str) -> bool {
    pattern.contains(NUMBER)
}

/// A part of a name between two dots (RFC 1123, section 2.1), in small letters.
fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allowed: Option<&str>) -> NamingPolicy {
        NamingPolicy::new("dc1.example.org", allowed).expect("a policy")
    }

    #[test]
    fn a_pattern_gives_the_lowest_numbers_that_are_free() {
        let taken = ["shop-1", "shop-3"].map(str::to_owned).into();
        assert_eq!(
            policy(None).free("shop-{n}", &taken, 3),
            Ok(vec!["shop-2".into(), "shop-4".into(), "shop-5".into()])
        );
        assert_eq!(policy(None).fqdn("shop-2"), "shop-2.dc1.example.org");
    }

    #[test]
    fn a_name_that_is_taken_is_refused() {
        let taken = BTreeSet::from(["shop".to_owned()]);
        let refused = policy(None).free("shop", &taken, 1).expect_err("it is taken");
        assert!(refused.what.contains("shop is taken"), "{refused}");
        assert_eq!(policy(None).free("web", &taken, 1), Ok(vec!["web".to_owned()]));
    }

    #[test]
    fn only_what_may_stand_in_the_dns_is_given() {
        let too_long = format!("{}{{n}}", "x".repeat(60));
        for no_name in ["", "-shop{n}", "shop{n}-", "Shop{n}", "shop.{n}", "shop {n}", "{n}\n", "shop_{n}", &too_long] {
            let refused = policy(None).free(no_name, &BTreeSet::new(), 1).expect_err(no_name);
            assert!(refused.what.contains("no host name"), "{refused}");
        }
    }

    #[test]
    fn a_site_gives_only_names_that_match_its_policy() {
        let policy = policy(Some("^[a-z]+-(test|prod)-[0-9]+$"));
        assert_eq!(policy.free("shop-test-{n}", &BTreeSet::new(), 1), Ok(vec!["shop-test-1".to_owned()]));
        let refused = policy.free("shop-{n}", &BTreeSet::new(), 1).expect_err("it does not match");
        assert!(refused.what.contains("^[a-z]+-(test|prod)-[0-9]+$"), "{refused}");
    }

    #[test]
    fn a_policy_that_can_not_be_is_named() {
        let refused = NamingPolicy::new("dc1..org", None).expect_err("an empty label");
        assert!(refused.to_string().contains("no domain"), "{refused}");
        let refused = NamingPolicy::new("example.org", Some("[a-")).expect_err("an open bracket");
        assert!(refused.to_string().contains("no regular expression"), "{refused}");
    }
}
