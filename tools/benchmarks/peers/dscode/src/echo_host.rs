//! An extension host that the crate starts and is connected to.

use crate::Outcome;
use dscode_extension_host::{
    ExtensionHostManager, ExtensionHostState, ExtensionIpc, IncomingRequestHandler, IpcManager,
};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;

/// The only place that the crate's sandbox shows to the host and lets it make its socket in.
const SHARED_WITH_HOST: &str = "/tmp";
/// A host that is not ready after so long never will be.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// The usual reason: the crate's sandbox.rs runs Node with RLIMIT_AS = 512 MiB then.
const HOST_ENDED: &str = "the host ended before it could be reached; where bubblewrap is not \
                          installed, the crate gives it less address space than Node starts with";
/// By which the crate knows the host and its connection.
const HOST_ID: &str = "echo";

/// The host's files where the crate's sandbox shows them, and the folder of the sockets.
pub struct HostFiles {
    folder: TempDir,
    script: PathBuf,
}

impl HostFiles {
    /// The crate starts `node SCRIPT`, with no argument: the script is one that adds it.
    pub fn copy(bootstrap: &Path, extension: &Path) -> Outcome<Self> {
        let folder = TempDir::with_prefix_in("dscode-peer-", SHARED_WITH_HOST)?;
        let runtime = bootstrap.parent().ok_or("the bootstrap has no folder")?;
        let name = bootstrap.file_name().ok_or("the bootstrap has no name")?;
        copy_files(runtime, &folder.path().join("node"))?;
        copy_files(extension, &folder.path().join("extension"))?;
        let script = folder.path().join("start.js");
        let argument = json!(folder.path().join("extension"));
        let start = json!(folder.path().join("node").join(name));
        fs::write(
            &script,
            format!("process.argv[2] = {argument};\nrequire({start});\n"),
        )?;
        Ok(Self { folder, script })
    }
}

fn copy_files(from: &Path, to: &Path) -> Outcome<()> {
    fs::create_dir(to)?;
    let entries = fs::read_dir(from).map_err(|error| format!("{}: {error}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn url_in(folder: &TempDir, name: &str) -> String {
    format!("ipc://{}", folder.path().join(name).display())
}

pub struct EchoHost {
    process: ExtensionHostManager,
    connections: IpcManager,
    ipc: Arc<ExtensionIpc>,
}

impl EchoHost {
    /// A host with its extension active.
    pub async fn start(files: &HostFiles) -> Outcome<Self> {
        // A host makes its socket anew, and finds it taken where an earlier one was killed.
        let sockets = TempDir::new_in(files.folder.path())?;
        let (to_host, from_host) = (url_in(&sockets, "host"), url_in(&sockets, "peer"));
        let script = files.script.to_str().ok_or("a path is not UTF-8")?;

        let connections = IpcManager::new();
        let (on_ready, mut ready) = mpsc::unbounded_channel();
        let answer: IncomingRequestHandler = Arc::new(move |kind, _| {
            if kind == "extension-host-ready" {
                let _ = on_ready.send(());
            }
            Box::pin(async { Ok(json!({})) })
        });
        connections
            .setup_incoming(HOST_ID, &from_host, answer)
            .await?;
        let mut process = ExtensionHostManager::new(HOST_ID.into());
        process.start(script, &to_host, &from_host)?;
        if let Err(error) = connections.connect_outgoing(HOST_ID, &to_host).await {
            process.check_and_update_state();
            return Err(match process.state() {
                ExtensionHostState::Running => error,
                _ => HOST_ENDED.into(),
            }
            .into());
        }
        tokio::time::timeout(READY_WITHIN, ready.recv())
            .await
            .map_err(|_| "the host was not ready in time")?;
        let ipc = connections
            .get_outgoing(HOST_ID)
            .await
            .ok_or("the connection is gone")?;
        ipc.request("activate-extension", json!({})).await?;
        Ok(Self {
            process,
            connections,
            ipc,
        })
    }

    pub fn ipc(&self) -> &Arc<ExtensionIpc> {
        &self.ipc
    }

    pub async fn stop(mut self) -> Outcome<()> {
        self.process.stop()?;
        self.connections.disconnect(HOST_ID).await;
        Ok(())
    }
}
