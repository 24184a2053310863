//! Host names to addresses, guarded: the addresses that were checked are the ones that are connected to.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_global;

/// The name leads to nothing but addresses that must not be reached.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no global address")]
pub(super) struct AddressRefused;

/// The resolver that the HTTP client connects through.
///
/// It drops the addresses that are not global, and refuses the name when none is left. Dropping is as safe as refusing
/// the whole name, since only what is left is connected to, and a host with one stray private record stays reachable.
#[derive(Debug, Clone)]
pub(super) struct GuardedResolver {
    guard: bool,
    /// Names that are resolved unguarded: the proxies'. They come from the environment, not from the table.
    exempt: Arc<HashSet<String>>,
}

impl GuardedResolver {
    pub(super) fn new(guard: bool, exempt: HashSet<String>) -> Self {
        Self { guard, exempt: Arc::new(exempt) }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.guard && !self.exempt.contains(name.as_str());
        Box::pin(async move {
            let mut found = lookup(name.as_str()).await?;
            if guard {
                found.retain(|address| is_global(address.ip()));
                if found.is_empty() {
                    return Err(AddressRefused.into());
                }
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// The system's answer; port 0 stands for "as in the URL".
pub(super) async fn lookup(name: &str) -> io::Result<Vec<SocketAddr>> {
    let found: Vec<_> = tokio::net::lookup_host((name, 0)).await?.collect();
    if found.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn resolve(guard: bool, exempt: &[&str]) -> Result<Vec<SocketAddr>, bool> {
        let resolver = GuardedResolver::new(guard, exempt.iter().map(|name| (*name).to_owned()).collect());
        let answer = resolver.resolve("localhost".parse().unwrap()).await;
        answer.map(Iterator::collect).map_err(|error| error.is::<AddressRefused>())
    }

    #[tokio::test]
    async fn a_name_with_loopback_addresses_only_is_refused() {
        assert_eq!(resolve(true, &[]).await, Err(true));
        assert!(resolve(false, &[]).await.is_ok_and(|found| !found.is_empty()));
    }

    #[tokio::test]
    async fn a_proxy_may_be_private() {
        assert!(resolve(true, &["localhost"]).await.is_ok());
        assert_eq!(resolve(true, &["other"]).await, Err(true));
    }
}
