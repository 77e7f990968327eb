//! Retained messages of the embedded broker, bounded in number and in bytes. The bounds are for what devices publish: our own
//! messages, which tell the updater what to do, always have room. No device may write there.

use std::sync::atomic::{AtomicIsize, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rmqtt::retain::{RetainStorage, RetainTree};
use rmqtt::topic::Topic;
use rmqtt::types::{Retain, TopicFilter, TopicName};
use tokio::sync::RwLock;

/// How much a broker may keep retained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetainedLimits {
    /// Most topics with a retained message.
    pub messages: usize,
    /// Most bytes of topics and payloads together.
    pub bytes: usize,
}

impl Default for RetainedLimits {
    /// 200,000 topics (two for each of the 100,000 devices that one machine is made for) and 256 MiB.
    fn default() -> Self {
        Self { messages: 200_000, bytes: 256 << 20 }
    }
}

/// Keeps retained messages in memory until they are replaced or cleared.
///
/// rmqtt's own `DefaultRetainStorage` only logs a warning, and would let a message expire after the listener's message
/// expiry; a birth message has to last as long as its device is silent.
pub(super) struct Retained {
    limits: RetainedLimits,
    /// What the topics of our own messages begin with.
    ours: String,
    tree: RwLock<Tree>,
    count: AtomicIsize,
    most: AtomicIsize,
    refused: std::sync::Arc<AtomicU64>,
}

#[derive(Default)]
struct Tree {
    messages: RetainTree<Retain>,
    /// Of our own, which no bound counts.
    own: usize,
    count: usize,
    bytes: usize,
}

impl Retained {
    /// Empty storage; `ours` is what the topics of our own messages begin with, `refused` counts those of others that found no
    /// room.
    pub(super) fn new(limits: RetainedLimits, ours: String, refused: std::sync::Arc<AtomicU64>) -> Self {
        let (count, most) = (AtomicIsize::new(0), AtomicIsize::new(0));
        Self { limits, ours, tree: RwLock::default(), count, most, refused }
    }
}

fn size(topic: &str, retain: &Retain) -> usize {
    topic.len() + retain.publish.payload.len()
}

#[async_trait]
impl RetainStorage for Retained {
    fn enable(&self) -> bool {
        true
    }

    async fn set(&self, topic: &TopicName, retain: Retain, _expiry: Option<Duration>) -> rmqtt::Result<()> {
        let parsed: Topic = topic.parse()?;
        let is_ours = topic.starts_with(&self.ours);
        let mut tree = self.tree.write().await;
        if let Some(old) = tree.messages.remove(&parsed) {
            if is_ours {
                tree.own -= 1;
            } else {
                tree.count -= 1;
                tree.bytes -= size(topic, &old);
            }
        }
        if !retain.publish.payload.is_empty() {
            let size = size(topic, &retain);
            if is_ours {
                tree.messages.insert(&parsed, retain);
                tree.own += 1;
            } else if tree.count >= self.limits.messages || tree.bytes + size > self.limits.bytes {
                self.refused.fetch_add(1, Ordering::Relaxed);
            } else {
                tree.messages.insert(&parsed, retain);
                tree.count += 1;
                tree.bytes += size;
            }
        }
        let count = isize::try_from(tree.count + tree.own).unwrap_or(isize::MAX);
        self.count.store(count, Ordering::Relaxed);
        self.most.fetch_max(count, Ordering::Relaxed);
        Ok(())
    }

    async fn get(&self, filter: &TopicFilter) -> rmqtt::Result<Vec<(TopicName, Retain)>> {
        let filter: Topic = filter.parse()?;
        let found = self.tree.read().await.messages.matches(&filter);
        Ok(found.into_iter().map(|(topic, retain)| (TopicName::from(topic.to_string()), retain)).collect())
    }

    async fn count(&self) -> isize {
        self.count.load(Ordering::Relaxed)
    }

    async fn max(&self) -> isize {
        self.most.load(Ordering::Relaxed)
    }
}
