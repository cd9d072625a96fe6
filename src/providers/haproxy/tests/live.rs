//! Against a real HAProxy, which each test starts for itself (`haproxy` from the machine's packages), with members that
//! are small HTTP servers.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

const GLOBAL: &str = "global\n  maxconn 500\n  stats socket {folder}/run.sock mode 600 level admin expose-fd listeners\n\
                      defaults\n  mode http\n  timeout connect 2s\n  timeout client 20s\n  timeout server 20s\n";

/// A HAProxy of the test's own.
struct Real {
    folder: PathBuf,
    process: Child,
    settings: HaproxySettings,
}

impl Real {
    /// Starts one whose pools get addresses of the loopback network `127.{net}.1.0/24`.
    async fn start(net: u8) -> Self {
        let folder = std::env::temp_dir().join(format!("gatehouse-live-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(folder.join("conf.d")).expect("a folder");
        let global = GLOBAL.replace("{folder}", &folder.display().to_string());
        std::fs::write(folder.join("haproxy.cfg"), global).expect("a file");
        std::fs::write(folder.join("conf.d/10-site.cfg"), "backend of-the-site\n").expect("a file");
        let path = |name: &str| folder.join(name);
        let mut command = Command::new("haproxy");
        command.arg("-W").args([Path::new("-S"), &path("master.sock"), Path::new("-f"), &path("haproxy.cfg")]);
        command.args([Path::new("-f"), &path("conf.d")]).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("`haproxy` is installed");
        let settings = HaproxySettings {
            files: vec![path("haproxy.cfg")],
            folder: path("conf.d"),
            program: "haproxy".into(),
            runtime: Socket::Unix(path("run.sock")),
            master: Socket::Unix(path("master.sock")),
            addresses: AddressRange::within(&format!("127.{net}.1.0/24"), None, &[]).expect("a range"),
            drain: TimeDelta::minutes(5),
        };
        let name = PoolName::read("nobody").expect("a name");
        while runtime::is_known(&settings.runtime, &name).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Self { folder, process, settings }
    }

    fn balancer(&self) -> Haproxy {
        Haproxy::new(self.settings.clone(), Arc::new(Noon))
    }

    async fn workers(&self) -> String {
        self.settings.master.ask("show proc").await.expect("the master answers")
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // The master ends its workers with it; what can't be removed stays in the folder for temporary files.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A member that says its name; while it is held, it keeps who asks for `/slow` waiting.
struct Machine {
    order: MemberOrder,
    let_go: Arc<Notify>,
    serving: JoinHandle<()>,
}

/// Machines `127.{net}.0.1` and so on that listen on one port.
async fn machines(net: u8, port: u16) -> [Machine; 3] {
    [machine(net, 1, port).await, machine(net, 2, port).await, machine(net, 3, port).await]
}

async fn machine(net: u8, last: u8, port: u16) -> Machine {
    let (name, address) = (format!("machine-{last}"), format!("127.{net}.0.{last}"));
    let listener = TcpListener::bind((address.as_str(), port)).await.expect("an address of the loopback network");
    let let_go = Arc::new(Notify::new());
    let (said, held) = (name.clone(), let_go.clone());
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, said.clone(), held.clone()));
        }
    });
    Machine { order: MemberOrder { name, address }, let_go, serving }
}

async fn answer(mut stream: TcpStream, name: String, held: Arc<Notify>) {
    let mut asked = [0; 1_024];
    let Ok(length) = stream.read(&mut asked).await else { return };
    if asked[..length].starts_with(b"GET /slow") {
        held.notified().await;
    }
    let answer = format!("HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
    // Who has gone hears nothing.
    let _ = stream.write_all(answer.as_bytes()).await;
}

/// What comes back from the pool.
async fn get(address: &str, port: u16, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((address, port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// Asks the pool again and again until it is told to stop; answers how many answers were good, and those that were not.
struct Load {
    ends: Arc<AtomicBool>,
    good: Arc<AtomicU64>,
    asking: JoinHandle<Vec<String>>,
}

impl Load {
    fn on(pool: &Pool) -> Self {
        let (ends, good) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (address, port, stop, counted) = (pool.address.clone(), pool.port, ends.clone(), good.clone());
        let asking = tokio::spawn(async move {
            let mut bad = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                match get(&address, port, "/").await {
                    Ok(answer) if answer.contains(" 200 ") => drop(counted.fetch_add(1, Ordering::Relaxed)),
                    other => bad.push(format!("{other:?}")),
                }
            }
            bad
        });
        Self { ends, good, asking }
    }

    /// Waits until so many more answers were good.
    async fn goes_on(&self, more: u64) {
        let enough = self.good.load(Ordering::Relaxed) + more;
        while self.good.load(Ordering::Relaxed) < enough && !self.asking.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) -> Vec<String> {
        self.ends.store(true, Ordering::Relaxed);
        self.asking.await.expect("it ends")
    }
}

async fn shop(real: &Real, machines: &[Machine], port: u16) -> Pool {
    let members = machines.iter().map(|machine| machine.order.clone()).collect();
    let order = PoolOrder { name: "shop".to_owned(), port, check: "GET /".to_owned(), members };
    let mut pool = real.balancer().create("d/pool", &order).await.expect("a pool");
    while pool.members.iter().any(|member| member.health != MemberHealth::Up) {
        pool = real.balancer().describe("shop").await.expect("the pool");
    }
    pool
}

#[tokio::test(flavor = "multi_thread")]
async fn haproxy_keeps_the_contract_of_balancers() {
    let real = Real::start(41).await;
    let members = machines(41, 18_041).await.map(|machine| machine.order);
    test_contract::balancer(&real.balancer(), members, 18_041).await;
    let left: Vec<_> = std::fs::read_dir(&real.settings.folder).expect("the folder").flatten().collect();
    let left = left.iter().filter(|entry| entry.file_name().to_string_lossy().starts_with("zz-")).count();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_machine_dies_its_pool_still_answers() {
    let real = Real::start(42).await;
    let machines = machines(42, 18_042).await;
    let pool = shop(&real, &machines, 18_042).await;
    let load = Load::on(&pool);
    load.goes_on(20).await;
    machines[0].serving.abort();
    while real.balancer().describe("shop").await.expect("the pool").members[0].health == MemberHealth::Up {
        load.goes_on(1).await;
    }
    load.goes_on(20).await;
    assert_eq!(load.end().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_leaves_only_after_its_last_answer() {
    let real = Real::start(43).await;
    let machines = machines(43, 18_043).await;
    let pool = shop(&real, &machines[..1], 18_043).await;
    let address = pool.address.clone();
    let slow = tokio::spawn(async move { get(&address, 18_043, "/slow").await });
    let begun = async || {
        let told = real.settings.runtime.ask("show stat shop 4 -1").await.expect("it answers");
        runtime::sessions(&told)["machine-1"] > 0
    };
    while !begun().await {
        tokio::task::yield_now().await;
    }
    let balancer = real.balancer();
    let wanted = [machines[1].order.clone()];
    let pool = balancer.set_members("shop", "d/pool", &wanted).await.expect("they change");
    assert_eq!(pool.members[1].health, MemberHealth::Draining);
    // Another pool's reload does not make it forget that one serves still.
    let other = PoolOrder { name: "web".to_owned(), port: 18_043, check: "GET /".to_owned(), members: wanted.into() };
    balancer.create("e/pool", &other).await.expect("another pool");
    let pool = balancer.describe("shop").await.expect("the pool");
    assert_eq!(pool.members.len(), 2, "{pool:?}");
    assert!(get(&pool.address, 18_043, "/").await.expect("an answer").ends_with("machine-2"));

    machines[0].let_go.notify_one();
    assert!(slow.await.expect("it ends").expect("an answer").ends_with("machine-1"));
    while balancer.describe("shop").await.expect("the pool").members.len() == 2 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_under_load_loses_no_request() {
    let real = Real::start(44).await;
    let machines = machines(44, 18_044).await;
    let pool = shop(&real, &machines[..2], 18_044).await;
    let load = Load::on(&pool);
    let balancer = real.balancer();
    let members = vec![machines[2].order.clone()];
    let other = PoolOrder { name: "web".to_owned(), port: 18_044, check: "GET /".to_owned(), members };
    for _ in 0..3 {
        balancer.create("e/pool", &other).await.expect("another pool");
        load.goes_on(10).await;
        balancer.delete("web", "e/pool").await.expect("it goes");
        load.goes_on(10).await;
    }
    assert_eq!(load.end().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neighbour_that_is_broken_is_named_with_its_line_and_nothing_is_reloaded() {
    let real = Real::start(45).await;
    let machines = machines(45, 18_045).await;
    let pool = shop(&real, &machines[..1], 18_045).await;
    let before = real.workers().await.lines().nth(3).map(|line| line[..15].to_owned());
    let neighbour = real.settings.folder.join("20-neighbour.cfg");
    std::fs::write(&neighbour, "backend neighbour\n  mode http\n  servre a 10.0.0.1:80\n").expect("a file");
    let order = PoolOrder { name: "web".to_owned(), port: 18_045, check: "GET /".to_owned(), members: Vec::new() };
    let refused = real.balancer().create("e/pool", &order).await.expect_err("the neighbour is broken");
    assert!(refused.what.contains("20-neighbour.cfg:3]") && refused.what.contains("servre"), "{refused}");
    assert_eq!(real.workers().await.lines().nth(3).map(|line| line[..15].to_owned()), before);
    assert!(get(&pool.address, 18_045, "/").await.expect("an answer").ends_with("machine-1"));
    std::fs::remove_file(neighbour).expect("it is taken away");
    real.balancer().create("e/pool", &order).await.expect("the pool");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_the_machine_does_not_have_costs_the_other_pools_nothing() {
    let real = Real::start(46).await;
    let machines = machines(46, 18_046).await;
    let pool = shop(&real, &machines[..1], 18_046).await;
    let addresses = AddressRange::within("203.0.113.0/24", None, &[]).expect("a range");
    let elsewhere = Haproxy::new(HaproxySettings { addresses, ..real.settings.clone() }, Arc::new(Noon));
    let order = PoolOrder { name: "web".to_owned(), port: 18_046, check: "GET /".to_owned(), members: Vec::new() };
    let refused = elsewhere.create("e/pool", &order).await.expect_err("nobody has that address");
    assert!(refused.what.contains("203.0.113.1:18046"), "{refused}");
    assert!(get(&pool.address, 18_046, "/").await.expect("an answer").ends_with("machine-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_finds_all_that_pools_need_and_says_what_is_missing() {
    use domain::ports::survey::Standing::{Missing, There};
    let real = Real::start(47).await;
    let standings = async |settings: HaproxySettings| {
        let lines = Haproxy::new(settings, Arc::new(Noon)).survey(Noon.now()).await.expect("the folder is there");
        lines.into_iter().map(|line| line.standing).collect::<Vec<_>>()
    };
    assert_eq!(standings(real.settings.clone()).await, [There, There, There, There]);
    std::fs::write(real.settings.folder.join("20-neighbour.cfg"), "servre\n").expect("a file");
    let addresses = AddressRange::within("203.0.113.0/24", None, &[]).expect("a range");
    let master = Socket::from("127.0.0.1:1");
    let wrong = HaproxySettings { addresses, master, ..real.settings.clone() };
    assert_eq!(standings(wrong).await, [There, Missing, Missing, Missing]);
}
