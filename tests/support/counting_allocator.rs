//! The system's allocator, with a count of what each thread takes from it.
//!
//! Per thread, because tests run side by side. The counters have no destructor and need no
//! allocation of their own, so that an allocator may touch them at any time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// What a piece of work took from the heap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heap {
    /// How often memory was asked for, a reallocation included.
    pub allocations: u64,
    /// The most bytes that were held at any one time, beyond those held when the work began.
    pub peak: isize,
    /// How many bytes are still held afterwards, by what the work returned.
    pub kept: isize,
}

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

/// Does the work, which must stay on this thread, and says what it took.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Heap) {
    let (allocations, held) = (ALLOCATIONS.get(), HELD.get());
    PEAK.set(held);
    let result = work();
    let heap = Heap {
        allocations: ALLOCATIONS.get() - allocations,
        peak: PEAK.get() - held,
        kept: HELD.get() - held,
    };
    (result, heap)
}

fn took(layout: Layout) {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
    HELD.set(HELD.get() + layout.size().cast_signed());
    PEAK.set(PEAK.get().max(HELD.get()));
}

fn gave_back(layout: Layout) {
    HELD.set(HELD.get() - layout.size().cast_signed());
}

#[allow(unsafe_code, reason = "an allocator can't be written without; this one hands everything on")]
// SAFETY: each method hands its arguments on as they are, and returns what the system's returns.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout);
        // SAFETY: as the caller of this method promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout);
        // SAFETY: as the caller of this method promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        gave_back(layout);
        // SAFETY: as the caller of this method promises.
        unsafe { System.dealloc(memory, layout) }
    }

    /// Counts the old and the new block at once, as if the block always moved.
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The caller promises that the size, rounded up to the alignment, fits: so does the layout.
        took(Layout::from_size_align(size, layout.align()).unwrap_or(layout));
        gave_back(layout);
        // SAFETY: as the caller of this method promises.
        unsafe { System.realloc(memory, layout, size) }
    }
}
