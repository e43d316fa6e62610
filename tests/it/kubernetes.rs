//! The Kubernetes manifests: valid to Kubernetes itself, and true of the real binary.
//!
//! The counterparts come from PyPI and npm; `tests/run` puts them into `target/counterparts`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::{Launch, World, command, document, skip};

fn manifest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/kubernetes").join(name)
}

/// What `tests/run` has installed there; `None`, told as a skip: nothing.
fn counterpart(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/counterparts").join(path);
    if !found.exists() {
        skip(
            "the Kubernetes manifests",
            &format!("no target/counterparts/{path} (tests/run installs it from PyPI or npm)"),
        );
    }
    found.exists().then_some(found)
}

#[track_caller]
fn printed(output: &Output) -> String {
    let (printed, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{printed}{said}");
    format!("{printed}{said}")
}

/// The documents of a manifest, as Kubernetes' own YAML reader in Python reads them.
fn documents(name: &str) -> Option<Vec<Value>> {
    let python = counterpart("python/bin/python")?;
    let script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(open(sys.argv[1])))))";
    let output = Command::new(python).args(["-c", script]).arg(manifest(name)).output().unwrap();
    Some(serde_json::from_str(&printed(&output)).unwrap())
}

#[test]
fn kubernetes_knows_every_field_of_the_manifests() {
    let Some(validate) = counterpart("python/bin/kubernetes-validate") else { return };
    for (name, resources) in [("sidecar.yaml", 2), ("daemonset.yaml", 3)] {
        let output = Command::new(&validate).arg("--strict").arg(manifest(name)).output().unwrap();
        let printed = printed(&output);
        assert_eq!(printed.matches(" passed for resource ").count(), resources, "{printed}");
    }
    let world = World::new();
    let misspelt = world.root.join("misspelt.yaml");
    let text = fs::read_to_string(manifest("sidecar.yaml")).unwrap().replace("livenessProbe", "livelinessProbe");
    fs::write(&misspelt, text).unwrap();
    assert!(!Command::new(&validate).arg("--strict").arg(misspelt).output().unwrap().status.success());
}

#[test]
fn the_pod_monitor_is_what_the_operators_own_schema_wants() {
    let Some(module) = counterpart("node_modules/@kubernetes-models/prometheus-operator") else { return };
    let Some(monitor) = documents("podmonitor.yaml") else { return };
    let script = format!(
        "import {{ PodMonitor }} from {:?}; new PodMonitor(JSON.parse(process.argv[1])).validate();",
        module.join("monitoring.coreos.com/v1/PodMonitor.js")
    );
    let accepts = |monitor: &Value| {
        let mut node = Command::new("node");
        node.args(["--input-type=module", "-e", &script, &monitor.to_string()]).output().unwrap()
    };
    printed(&accepts(&monitor[0]));
    let mut wrong = monitor[0].clone();
    wrong["spec"]["podMetricsEndpoints"][0]["port"] = 14871.into();
    assert!(!accepts(&wrong).status.success(), "a port is a name there");
}

/// The container that is ours, and the settings that its pod mounts.
fn container(documents: &[Value]) -> (Value, String) {
    let settings = documents.iter().find(|one| one["kind"] == "ConfigMap").unwrap();
    let settings = settings["data"]["jsonwarden.toml"].as_str().unwrap().to_owned();
    let pod = &documents.iter().find(|one| one["spec"]["template"].is_object()).unwrap()["spec"]["template"]["spec"];
    assert_eq!(pod["enableServiceLinks"], false);
    let containers = ["initContainers", "containers"].iter().filter_map(|list| pod[*list].as_array()).flatten();
    (containers.clone().find(|one| one["name"] == "jsonwarden").unwrap().clone(), settings)
}

/// A manifest's container in a world of this test: each mount is a folder of it.
struct Pod {
    container: Value,
    root: PathBuf,
}

impl Pod {
    /// Makes the mounts, and puts the settings where the manifest has them.
    fn new(container: Value, settings: &str, world: &World) -> Self {
        let pod = Self { container, root: world.root.clone() };
        for mount in pod.mounts() {
            fs::create_dir_all(pod.here(mount)).unwrap();
        }
        let settings = pod.mounts().fold(settings.to_owned(), |text, mount| {
            text.replace(&format!("\"{mount}"), &format!("\"{}", pod.here(mount)))
        });
        fs::write(pod.here("/etc/jsonwarden/jsonwarden.toml"), settings).unwrap();
        pod
    }

    fn mounts(&self) -> impl Iterator<Item = &str> {
        self.container["volumeMounts"].as_array().unwrap().iter().map(|mount| mount["mountPath"].as_str().unwrap())
    }

    /// A path of the container, as it is here.
    fn here(&self, path: &str) -> String {
        format!("{}{path}", self.root.display())
    }

    /// A variable that the manifest sets, with paths as they are here.
    fn variable(&self, variable: &Value) -> (String, String) {
        let text = |name: &str| variable[name].as_str().unwrap();
        let value = if text("name") == "JSONWARDEN_LISTEN" {
            assert_eq!(text("value"), format!("0.0.0.0:{}", self.container["ports"][0]["containerPort"]));
            // A port that is free here.
            "127.0.0.1:0".to_owned()
        } else {
            assert!(self.mounts().any(|mount| text("value").starts_with(mount)), "not on a mount: {variable}");
            self.here(text("value"))
        };
        (text("name").to_owned(), value)
    }

    /// The real binary, with the container's environment and nothing else.
    fn command(&self) -> Command {
        let mut command = command();
        let variables = self.container["env"].as_array().unwrap().iter().map(|variable| self.variable(variable));
        command.env_clear().envs(variables).stdout(Stdio::piped());
        command
    }
}

/// Starts the real binary as the manifest says, damages a file for good, and asks what the manifest's probes ask.
fn live(name: &str, watched: &str, state: &str) {
    let Some(documents) = documents(name) else { return };
    let (container, settings) = container(&documents);
    let world = World::new();
    let pod = Pod::new(container, &settings, &world);
    let file = PathBuf::from(pod.here(watched)).join("a.json");
    fs::write(&file, document(1, 500)).unwrap();

    let mut run = pod.command();
    run.args(pod.container["args"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()));
    let daemon = Launch::of(run, pod.here(state)).start();
    daemon.wait_stored(&file, &document(1, 500));
    printed(&pod.command().arg("observe").arg(&file).output().unwrap());
    fs::write(&file, "{\"cut").unwrap();
    daemon.wait_state(&file, "held");
    for probe in ["startupProbe", "livenessProbe"] {
        let asks = &pod.container[probe]["httpGet"];
        assert_eq!(asks["port"], pod.container["ports"][0]["name"]);
        let answer = daemon.get(asks["path"].as_str().unwrap());
        assert_eq!(answer.status, 200, "{probe}: a held file is no reason to restart");
    }
}

#[test]
fn the_sidecar_guards_as_its_manifest_says() {
    live("sidecar.yaml", "/data", "/var/lib/jsonwarden/state");
}

#[test]
fn the_daemon_set_guards_as_its_manifest_says() {
    live("daemonset.yaml", "/srv", "/var/lib/jsonwarden");
}

#[test]
fn the_pod_monitor_finds_the_pods_and_their_port() {
    let Some(monitor) = documents("podmonitor.yaml") else { return };
    let spec = &monitor[0]["spec"];
    for name in ["sidecar.yaml", "daemonset.yaml"] {
        let Some(documents) = documents(name) else { return };
        let template = &documents.iter().find(|one| one["spec"]["template"].is_object()).unwrap()["spec"]["template"];
        for (label, value) in spec["selector"]["matchLabels"].as_object().unwrap() {
            assert_eq!(&template["metadata"]["labels"][label], value, "{name}");
        }
        assert_eq!(container(&documents).0["ports"][0]["name"], spec["podMetricsEndpoints"][0]["port"], "{name}");
    }
    assert_eq!(spec["podMetricsEndpoints"][0]["path"], "/metrics");
}
