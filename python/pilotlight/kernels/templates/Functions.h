// SPDX-License-Identifier: Apache-2.0
// ${generated_comment}
#pragma once

${static_dispatch_extra_headers}
