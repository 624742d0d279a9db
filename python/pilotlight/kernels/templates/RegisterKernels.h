// SPDX-License-Identifier: Apache-2.0
// ${generated_comment}
#pragma once
