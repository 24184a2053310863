//! The processors that a worker has, and what it did on which.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::gpu::{Cost, Device, DeviceInfo, Missing, Usage, Wish};

/// Why a sample is not computed on a GPU that is there.
const QUICKER_HERE: &str = "quicker_on_cpu";

/// The processors of one worker.
#[derive(Debug, Default)]
pub struct Processors {
    /// None where the job leaves GPUs alone.
    gpu: Option<Gpu>,
    usage: RefCell<Usage>,
    is_lost: Cell<bool>,
}

#[derive(Debug)]
struct Gpu {
    wish: Wish,
    device: Result<Arc<Device>, Missing>,
}

impl Processors {
    /// Opens the GPU that is wished for.
    ///
    /// # Errors
    /// Why there is none.
    pub fn open_gpu(&mut self, wish: &Wish) -> Result<DeviceInfo, Missing> {
        let device = Device::open(wish).map(Arc::new);
        let found = device.as_ref().map(|device| device.info().clone()).map_err(Missing::clone);
        self.gpu = Some(Gpu { wish: *wish, device });
        found
    }

    /// The GPU, where it is to compute a flow of this cost: by the sample alone, so that it goes the same way each time.
    pub fn for_flow(&self, cost: Cost) -> Option<Arc<Device>> {
        let Gpu { wish, device } = self.gpu.as_ref()?;
        let mut usage = self.usage.borrow_mut();
        let taken = match device {
            Ok(device) if wish.required || cost.is_worth_a_gpu() => Ok(Arc::clone(device)),
            Ok(_) => Err(QUICKER_HERE),
            Err(missing) => Err(missing.label()),
        };
        match taken {
            Ok(device) => {
                usage.flow_on_gpu = 1;
                Some(device)
            }
            Err(reason) => {
                usage.flow_on_cpu = 1;
                usage.reasons.insert(reason.to_owned(), 1);
                None
            }
        }
    }

    /// Whether the job does without rather than on the CPU.
    pub fn requires_gpu(&self) -> bool {
        self.gpu.as_ref().is_some_and(|gpu| gpu.wish.required)
    }

    /// A flow went to the CPU after all.
    pub fn fell_back(&self, reason: &str) {
        let mut usage = self.usage.borrow_mut();
        (usage.flow_on_gpu, usage.flow_on_cpu) = (0, 1);
        usage.reasons.insert(reason.to_owned(), 1);
    }

    /// So many batches were halved.
    pub fn halved(&self, times: u32) {
        self.usage.borrow_mut().halved_batches += u64::from(times);
    }

    /// The GPU is of no use to this process any more.
    pub fn lose_gpu(&self) {
        self.is_lost.set(true);
    }

    pub fn has_lost_gpu(&self) -> bool {
        self.is_lost.get()
    }

    /// What the last sample was made on.
    pub fn take_usage(&self) -> Usage {
        self.usage.take()
    }
}
