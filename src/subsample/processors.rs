//! The processors that a worker has, and what it did on which.

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use crate::gpu::{Cost, Device, DeviceInfo, Missing, Wish, is_worth_nvdec};
use crate::media::{self, Decoded, HwDevice, Media};
use crate::sample::{Failure, FailureClass, Usage};

/// Why a sample is not computed on a GPU that is there.
const QUICKER_HERE: &str = "quicker_on_cpu";

/// The processors of one worker.
#[derive(Debug, Default)]
pub struct Processors {
    /// None where the job leaves GPUs alone.
    gpu: Option<Gpu>,
    usage: RefCell<Usage>,
    is_lost: Cell<bool>,
    /// For the present sample: no flow on the GPU; no decoder of the GPU.
    cpu_only: Cell<bool>,
    software_only: Cell<bool>,
    /// A decoder of the GPU was taken for it.
    uses_nvdec: Cell<bool>,
}

#[derive(Debug)]
struct Gpu {
    wish: Wish,
    device: Result<Arc<Device>, Missing>,
    /// FFmpeg's side of it; none where decoders are not wanted or not to be had.
    decoder: Option<Arc<HwDevice>>,
}

/// What a pass has to decode.
#[derive(Debug, Clone, Copy)]
pub struct Decode {
    /// Pixels of a frame; frames.
    pub pixels: u64,
    pub frames: u64,
    /// The cost of the flow that is computed of them, where nothing else is made: frames may then stay on the device.
    pub only_flow: Option<Cost>,
}

impl Processors {
    /// Opens the GPU that is wished for.
    ///
    /// # Errors
    /// Why there is none.
    pub fn open_gpu(&mut self, wish: &Wish) -> Result<DeviceInfo, Missing> {
        let device = Device::open(wish).map(Arc::new);
        let found = device.as_ref().map(|device| device.info().clone()).map_err(Missing::clone);
        let wants_decoder = wish.nvdec != Some(false);
        let decoder = device.as_ref().ok().filter(|_| wants_decoder).and_then(|device| HwDevice::open(device).ok());
        let codecs = if wants_decoder && decoder.is_none() { Vec::new() } else { media::nvdec_codecs() };
        self.gpu = Some(Gpu { wish: *wish, device, decoder: decoder.map(Arc::new) });
        found.map(|found| DeviceInfo { codecs, ..found })
    }

    /// The GPU's decoder, where it is to decode the video: by the sample alone.
    pub fn for_decode(&self, media: &Media, decode: Decode) -> Option<Arc<HwDevice>> {
        let Gpu { wish, device, decoder } = self.gpu.as_ref().filter(|_| !self.software_only.get())?;
        let is_wanted = match (wish.nvdec, decode.only_flow) {
            (Some(is_wanted), _) => is_wanted,
            (None, None) => false,
            (None, Some(cost)) => {
                device.is_ok()
                    && (wish.required || cost.is_worth_a_gpu())
                    && is_worth_nvdec(decode.pixels, decode.frames)
            }
        };
        if !is_wanted {
            return None;
        }
        if decoder.is_none() {
            let reason = device.as_ref().err().map_or("nvdec_unavailable", Missing::label);
            self.decoded_on_cpu(reason.to_owned());
        } else if media.video_codec().is_none_or(|codec| !media::nvdec_codecs().iter().any(|known| known == codec)) {
            self.decoded_on_cpu(format!("nvdec_lacks_{}", media.video_codec().unwrap_or("codec")));
            return None;
        }
        self.uses_nvdec.set(decoder.is_some());
        decoder.clone()
    }

    /// Passes with the GPU's decoder are over: counts where their frames came from.
    ///
    /// # Errors
    /// `not_decodable`: the GPU has shown damaged frames. What is shown of damaged streams is for each decoder to choose, so
    /// the sample is to be made anew, in software: see [`Processors::falls_back`].
    pub fn decoded(&self, media: &Media) -> Result<(), Failure> {
        match media.decoded() {
            Decoded { frames: 0, .. } => {}
            Decoded { on_device: 0, .. } => {
                self.decoded_on_cpu(format!("nvdec_refuses_{}", media.video_codec().unwrap_or("codec")))
            }
            Decoded { damaged: 1.., .. } => {
                return Err(Failure::new(FailureClass::NotDecodable, "the GPU's decoder failed at some frames"));
            }
            Decoded { .. } => self.usage.borrow_mut().decoded_on_gpu = 1,
        }
        Ok(())
    }

    fn decoded_on_cpu(&self, reason: String) {
        let mut usage = self.usage.borrow_mut();
        usage.decoded_on_cpu = 1;
        usage.reasons.insert(reason, 1);
    }

    /// Whether the sample can be made once more with less of the GPU, and what it failed of there; it is to be begun anew.
    pub fn falls_back(&self, class: FailureClass) -> bool {
        match class {
            FailureClass::NotDecodable if self.uses_nvdec.get() && !self.software_only.get() => {
                self.usage.borrow_mut().decoded_on_gpu = 0;
                self.decoded_on_cpu("nvdec_failed".into());
                self.software_only.set(true);
                true
            }
            FailureClass::GpuMemory if !self.requires_gpu() && !self.cpu_only.get() => {
                self.fell_back("gpu_memory");
                self.cpu_only.set(true);
                self.software_only.set(true);
                true
            }
            _ => false,
        }
    }

    /// The GPU, where it is to compute a flow of this cost: by the sample alone, so that it goes the same way each time.
    pub fn for_flow(&self, cost: Cost) -> Option<Arc<Device>> {
        let Gpu { wish, device, .. } = self.gpu.as_ref().filter(|_| !self.cpu_only.get())?;
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
        self.cpu_only.set(false);
        self.software_only.set(false);
        self.uses_nvdec.set(false);
        self.usage.take()
    }
}
