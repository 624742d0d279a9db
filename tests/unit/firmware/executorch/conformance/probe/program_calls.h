// SPDX-License-Identifier: Apache-2.0
//
// The calls on one program file and its methods. Each function takes the path of a .pte.
#pragma once

namespace conformance {

// Makes every call, with traced operators and without an event tracer.
void ExerciseProgram(const char* path);

// Loads and runs each method with an event tracer, at each level of detail.
void LogEvents(const char* path);

// Loads each method with pools that are too small, from nothing up to enough.
void TryPools(const char* path);

// Loads each method with planned buffers that are too small, and with too few of them.
void TryPlannedBuffers(const char* path);

// Loads each method with each constant of another file one byte too short.
void TryShortData(const char* path);

// Runs each method with the registered kernels.
void RunWithKernels(const char* path);

}  // namespace conformance
