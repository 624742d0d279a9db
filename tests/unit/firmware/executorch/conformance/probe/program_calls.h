// SPDX-License-Identifier: Apache-2.0
//
// One program file: what can be asked of it, and its methods. Each takes the path of a .pte.
#pragma once

namespace conformance {

// Everything, with traced operators and no event tracer.
void ExerciseProgram(const char* path);

// Loads and runs each method with an event tracer, at each level of detail.
void LogEvents(const char* path);

// Loads each method with too small pools, from nothing up to enough.
void TryPools(const char* path);

// Loads each method with too small planned buffers, and too few.
void TryPlannedBuffers(const char* path);

// Loads each method with one byte less of each constant that lies in another file.
void TryShortData(const char* path);

// Runs each method with the kernels that are registered.
void RunWithKernels(const char* path);

}  // namespace conformance
