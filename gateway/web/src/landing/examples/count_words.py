from collections import Counter

from platform_sdk import get_input, send_output

words = get_input().lower().split()
facts = {"words": len(words)}
facts["longest"] = max(words, key=len, default="")
facts["most_common"] = Counter(words).most_common(3)
send_output(facts)
