//! Against a HAProxy of a few lines, which reads the files as the real one does and answers on both sockets.

#[cfg(feature = "live")]
mod live;
mod player;

use std::os::unix::fs::PermissionsExt;

use chrono::{DateTime, Utc};
use player::Player;

use super::*;

/// A clock that stands still.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000, 0).expect("a valid instant")
    }
}

fn haproxy(player: &Player) -> Haproxy {
    Haproxy::new(player.settings(), Arc::new(Noon))
}

fn member(name: &str, last: u8) -> MemberOrder {
    MemberOrder { name: name.to_owned(), address: format!("10.0.0.{last}") }
}

fn order(name: &str) -> PoolOrder {
    let members = vec![member("shop-1", 1), member("shop-2", 2)];
    PoolOrder { name: name.to_owned(), port: 18_080, check: "GET /".to_owned(), members }
}

#[tokio::test]
async fn a_new_pool_gets_an_address_of_its_own_and_members_that_were_not_looked_at_yet() {
    let player = Player::start().await;
    let pool = haproxy(&player).create("d/pool", &order("shop")).await.expect("a pool");
    assert_eq!((pool.id.as_str(), pool.address.as_str(), pool.port), ("shop", "127.20.0.1", 18_080));
    assert!(pool.members.iter().all(|member| member.health == MemberHealth::Down), "{pool:?}");
    let other = haproxy(&player).create("e/pool", &order("web")).await.expect("another pool");
    assert_eq!(other.address, "127.20.0.2");
    player.checks("shop", "shop-1", true);
    let pool = haproxy(&player).find("d/pool").await.expect("an answer").expect("the pool");
    assert_eq!(pool.members[0].health, MemberHealth::Up);
    assert_eq!(player.reloads(), 2);
}

#[tokio::test]
async fn whoever_asks_again_gets_the_pool_that_he_has_and_whoever_takes_its_name_is_refused() {
    let player = Player::start().await;
    let balancer = haproxy(&player);
    let pool = balancer.create("d/pool", &order("shop")).await.expect("a pool");
    assert_eq!(balancer.create("d/pool", &order("shop")).await, Ok(pool));
    let taken = balancer.create("e/pool", &order("shop")).await.expect_err("it is taken");
    assert_eq!(taken.kind, ProviderErrorKind::Refused);
    player.knows("by-hand");
    let taken = balancer.create("e/pool", &order("by-hand")).await.expect_err("the site has such a section");
    assert!(taken.what.contains("section by-hand already"), "{taken}");
}

#[tokio::test]
async fn members_come_and_go_without_a_reload_and_leave_only_when_they_have_ended_their_connections() {
    let player = Player::start().await;
    let balancer = haproxy(&player);
    balancer.create("d/pool", &order("shop")).await.expect("a pool");
    player.serves("shop", "shop-1", 1);
    let wanted = [member("shop-2", 2), member("shop-3", 3)];
    let pool = balancer.set_members("shop", "d/pool", &wanted).await.expect("they change");
    let names: Vec<&str> = pool.members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["shop-2", "shop-3", "shop-1"]);
    assert_eq!(pool.members[2].health, MemberHealth::Draining);

    player.serves("shop", "shop-1", 0);
    let pool = balancer.describe("shop").await.expect("the pool");
    let names: Vec<&str> = pool.members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["shop-2", "shop-3"]);
    assert_eq!(player.members("shop"), ["shop-2", "shop-3"]);
    assert_eq!(player.reloads(), 1, "only the new pool took one");
}

#[tokio::test]
async fn who_returns_while_he_drains_serves_again() {
    let player = Player::start().await;
    let balancer = haproxy(&player);
    balancer.create("d/pool", &order("shop")).await.expect("a pool");
    player.serves("shop", "shop-1", 1);
    balancer.set_members("shop", "d/pool", &[member("shop-2", 2)]).await.expect("one leaves");
    let both = [member("shop-1", 1), member("shop-2", 2)];
    let pool = balancer.set_members("shop", "d/pool", &both).await.expect("it returns");
    assert!(pool.members.iter().all(|member| member.health != MemberHealth::Draining), "{pool:?}");
    assert!(player.asked().contains(&"set server shop/shop-1 state ready".to_owned()));
}

#[tokio::test]
async fn what_can_not_be_done_at_run_time_is_done_by_a_reload() {
    let player = Player::start().await;
    let balancer = haproxy(&player);
    balancer.create("d/pool", &order("shop")).await.expect("a pool");
    player.refuses("add server");
    let wanted = [member("shop-1", 1), member("shop-2", 2), member("shop-3", 3)];
    balancer.set_members("shop", "d/pool", &wanted).await.expect("they change all the same");
    assert_eq!(player.members("shop"), ["shop-1", "shop-2", "shop-3"]);
    assert_eq!(player.reloads(), 2);
}

#[tokio::test]
async fn a_pool_goes_only_for_its_own_key_and_goes_once() {
    let player = Player::start().await;
    let balancer = haproxy(&player);
    balancer.create("d/pool", &order("shop")).await.expect("a pool");
    for refused in [
        balancer.delete("shop", "e/pool").await.expect_err("it is another's"),
        balancer.set_members("shop", "e/pool", &[]).await.expect_err("it is another's"),
    ] {
        assert_eq!(refused.kind, ProviderErrorKind::NotOurs);
    }
    balancer.delete("shop", "d/pool").await.expect("it goes");
    balancer.delete("shop", "d/pool").await.expect("it has gone");
    assert_eq!(balancer.find("d/pool").await, Ok(None));
    let gone = balancer.describe("shop").await.expect_err("it has gone");
    assert_eq!(gone.kind, ProviderErrorKind::NotFound);
    assert_eq!(player.files(), Vec::<String>::new());
}

#[tokio::test]
async fn what_broke_off_is_completed_by_whoever_looks_next() {
    let player = Player::start().await;
    let balancer = haproxy(&player);
    // The file is in its place, and nobody told HAProxy.
    let key = Key::read("d/pool").expect("a key");
    let file = PoolFile::new(&key, &order("shop"), Ipv4Addr::new(127, 20, 0, 1)).expect("a pool");
    balancer.folder().await.expect("the folder").put(&file).await.expect("a valid file");
    assert_eq!(player.members("shop"), Vec::<String>::new());
    balancer.find("d/pool").await.expect("an answer").expect("the pool");
    assert_eq!(player.members("shop"), ["shop-1", "shop-2"]);

    // The file is aside, and nobody told HAProxy.
    std::fs::rename(player.file("zz-gatehouse-shop.cfg"), player.file("zz-gatehouse-shop.removed")).expect("a rename");
    assert_eq!(balancer.find("d/pool").await, Ok(None));
    assert_eq!(player.members("shop"), Vec::<String>::new());
    assert_eq!(player.files(), Vec::<String>::new());
}

#[tokio::test]
async fn when_haproxy_can_not_serve_by_the_new_files_it_gets_back_what_it_had() {
    let player = Player::start().await;
    let balancer = haproxy(&player);
    balancer.create("d/pool", &order("shop")).await.expect("a pool");
    player.fails_to_load("web");
    let refused = balancer.create("e/pool", &order("web")).await.expect_err("it can't");
    assert!(refused.what.contains("can't serve by it"), "{refused}");
    assert_eq!(player.files(), ["zz-gatehouse-shop.cfg"]);
    assert_eq!(player.members("shop"), ["shop-1", "shop-2"]);
    assert_eq!(balancer.find("e/pool").await, Ok(None));
}

#[tokio::test]
async fn what_haproxy_does_not_accept_never_reaches_the_folder() {
    let player = Player::start().await;
    let script = "#!/bin/sh\necho '[ALERT]    (7) : config : parsing [20-site.cfg:3] : unknown keyword' >&2\nexit 1\n";
    std::fs::write(player.file("refuse"), script).expect("a script");
    std::fs::set_permissions(player.file("refuse"), PermissionsExt::from_mode(0o755)).expect("it may be run");
    let settings = HaproxySettings { program: player.file("refuse"), ..player.settings() };
    let refused = Haproxy::new(settings, Arc::new(Noon)).create("d/pool", &order("shop")).await.expect_err("refused");
    assert!(refused.what.contains("parsing [20-site.cfg:3] : unknown keyword. Nothing was changed."), "{refused}");
    assert_eq!((player.files(), player.reloads()), (Vec::new(), 0));
}

#[tokio::test]
async fn a_file_that_was_changed_by_hand_is_left_alone() {
    let player = Player::start().await;
    let balancer = haproxy(&player);
    balancer.create("d/pool", &order("shop")).await.expect("a pool");
    let file = player.file("zz-gatehouse-shop.cfg");
    let text = std::fs::read_to_string(&file).expect("the file");
    std::fs::write(&file, format!("{text}  timeout server 1h\n")).expect("a line more");
    for refused in [
        balancer.set_members("shop", "d/pool", &[member("shop-1", 1)]).await.expect_err("it was changed"),
        balancer.delete("shop", "d/pool").await.expect_err("it was changed"),
    ] {
        assert!(refused.what.contains("was changed by hand"), "{refused}");
    }
}

#[tokio::test]
async fn nothing_that_could_say_more_than_a_word_reaches_a_file_or_a_socket() {
    let player = Player::start().await;
    let balancer = haproxy(&player);
    for bad in ["shop\nglobal", "shop; quit", "shop test", "shop/x", "", "-shop", "Shop", "sh\"op", "shop#", "$shop"] {
        let refused = balancer.create("d/pool", &order(bad)).await.expect_err(bad);
        assert_eq!(refused.kind, ProviderErrorKind::Permanent, "{refused}");
        let members = vec![MemberOrder { name: bad.to_owned(), address: "10.0.0.1".to_owned() }];
        balancer.create("d/pool", &PoolOrder { members, ..order("shop") }).await.expect_err(bad);
    }
    for check in ["GET", "GET / HTTP/1.1", "GET /\r\nHost: x", "GET /#", "PUT /", "GET /\"", "GET /$x", "GET /;"] {
        balancer.create("d/pool", &PoolOrder { check: check.to_owned(), ..order("shop") }).await.expect_err(check);
    }
    for address in ["10.0.0.1 weight 1", "example.org", "10.0.0.1\n", "::1"] {
        let members = vec![MemberOrder { name: "shop-1".to_owned(), address: address.to_owned() }];
        balancer.create("d/pool", &PoolOrder { members, ..order("shop") }).await.expect_err(address);
    }
    balancer.create("d/pool; quit", &order("shop")).await.expect_err("a key of more than one word");
    assert_eq!((player.files(), player.reloads()), (Vec::new(), 0));
}

#[tokio::test]
async fn many_orders_at_once_get_an_address_each() {
    let player = Player::start().await;
    // Each has a balancer of its own, as different processes do.
    let orders = (0..8).map(|n| {
        let balancer = haproxy(&player);
        tokio::spawn(async move { balancer.create(&format!("d{n}/pool"), &order(&format!("shop-{n}"))).await })
    });
    let mut addresses = BTreeSet::new();
    for order in orders.collect::<Vec<_>>() {
        addresses.insert(order.await.expect("it ends").expect("a pool").address);
    }
    assert_eq!(addresses.len(), 8);
}
