//! A restart forgets nothing: open incidents, breakers and holds go on.

use std::fs;

use crate::support::{Daemon, LIMIT, Launch, World, document, wait_until};

fn launch(world: &World) -> Daemon {
    let text = format!(
        "sweep_interval = \"200ms\"\n[defaults]\nsettle = \"100ms\"\nmax_repairs = 2\n[[watch]]\nname = \"w\"\npaths = [\"{}\"]\n",
        world.files.display()
    );
    Launch::new(world).config(world, &text).start()
}

#[test]
fn an_open_breaker_stays_open_and_its_incident_is_the_same_one() {
    let world = World::new();
    let good = document(1, 2_000);
    let file = world.write("a.json", &good);
    let daemon = launch(&world);
    for round in 0..2 {
        fs::write(&file, format!("{{\"torn {round}")).unwrap();
        wait_until(LIMIT, "it is repaired", || daemon.state.incidents_of(&file, "repaired").len() == round + 1);
        daemon.wait_state(&file, "healthy");
    }
    fs::write(&file, b"{\"torn for good").unwrap();
    wait_until(LIMIT, "it is held", || !daemon.state.incidents_of(&file, "held").is_empty());
    daemon.terminate();
    let daemon = launch(&world);
    daemon.wait_state(&file, "held");
    // Two sweeps and several times the settle later it still is.
    wait_until(LIMIT, "some sweeps", || daemon.scrape().count("sweep_duration_seconds_count", &[]) > 5);
    assert_eq!(fs::read(&file).unwrap(), b"{\"torn for good");
    assert_eq!(daemon.state.incidents_of(&file, "held").len(), 1, "told once");
    let begun = daemon.state.incidents_of(&file, "corrupted");
    assert_eq!(begun.len(), 3, "no incident begins twice");
    fs::write(&file, document(2, 2_000)).unwrap();
    wait_until(LIMIT, "it is over", || !daemon.state.incidents_of(&file, "recovered").is_empty());
    assert_eq!(daemon.state.incidents_of(&file, "recovered")[0]["incident"], begun[2]["incident"]);
    // What somebody wrote closed the breaker.
    daemon.wait_stored(&file, &document(2, 2_000));
    fs::write(&file, b"{\"torn").unwrap();
    wait_until(LIMIT, "it is repaired again", || fs::read(&file).is_ok_and(|bytes| bytes == document(2, 2_000)));
}
