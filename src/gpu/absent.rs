//! Builds without the feature `gpu`: the same names, and never a device.

use std::convert::Infallible;

use super::{DeviceInfo, GpuError, Missing, Surface, Wish};
use crate::flow::{FarnebackParams, Luma};

#[derive(Debug)]
pub struct Device(Infallible);

impl Device {
    /// # Errors
    /// Always.
    pub fn open(_: &Wish) -> Result<Self, Missing> {
        Err(Missing::NotBuilt)
    }

    pub fn raw_context(&self) -> *mut std::ffi::c_void {
        match self.0 {}
    }

    pub fn info(&self) -> &DeviceInfo {
        match self.0 {}
    }
}

#[derive(Debug)]
pub struct Farneback(Infallible);

impl Farneback {
    pub fn new(
        device: &std::sync::Arc<Device>,
        _: &FarnebackParams,
        _: usize,
        _: usize,
        _: usize,
    ) -> Result<Self, GpuError> {
        match device.0 {}
    }

    pub fn halved(&self) -> u32 {
        match self.0 {}
    }

    pub fn push<E: From<GpuError>>(
        &mut self,
        _: Luma<'_>,
        _: &mut dyn FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.0 {}
    }

    pub fn push_surface<E: From<GpuError>>(
        &mut self,
        _: Surface<'_>,
        _: u32,
        _: &mut dyn FnMut(&[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.0 {}
    }

    pub fn finish<E: From<GpuError>>(&mut self, _: &mut dyn FnMut(&[f32]) -> Result<(), E>) -> Result<(), E> {
        match self.0 {}
    }
}
