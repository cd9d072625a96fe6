//! Telling our own doing from that of others.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::sleep;

use super::client::Client;
use super::followed::Followed;
use super::follower::tell;
use super::inventory::{Noted, OF_MACHINES};
use super::vim::Moref;

/// What was read directly may be newer than what vCenter tells next: so long after our work it is not yet news.
const SETTLE: Duration = Duration::from_secs(3);

/// As long as this lives, and until it has settled, what happens to the machine with its key is our own doing. What is
/// different by then from how we left the machine was done by somebody else, and is told.
pub(super) struct Working {
    client: Arc<Client>,
    followed: Arc<Followed>,
    key: String,
}

impl Working {
    pub fn on(key: &str, client: &Arc<Client>, followed: &Arc<Followed>) -> Self {
        followed.begin(key);
        Self { client: Arc::clone(client), followed: Arc::clone(followed), key: key.to_owned() }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let (client, followed, key) = (Arc::clone(&self.client), Arc::clone(&self.followed), self.key.clone());
        let left = followed.read(|inventory| inventory.by_key(&key).map(|(id, seen)| (id.clone(), seen.clone())));
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            sleep(SETTLE).await;
            let mut noted = followed.settle(&key, left.clone());
            if let Some(Noted { id, .. }) = noted.first() {
                // vCenter may have told old news last: what holds is what it says when it is asked.
                if let Ok(Some(content)) = client.look(&Moref::machine(id), OF_MACHINES).await {
                    followed.learn(&content);
                    noted = followed.read(|inventory| inventory.since(&key, left));
                }
            }
            tell(&client, &followed, noted).await;
        });
    }
}
